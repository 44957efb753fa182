import { parseOrigin } from '../../net/origin.ts';
import type { Latch } from '../discovery.ts';
import { fieldOf, textAt } from '../json-fields.ts';

/** A passing service of Druid's, with where its announcement is. */
export interface ServiceEntry {
  /** `PREFIX-<role>-HOST-PORT`. */
  readonly id: string;
  /** The JSON itself, if it is short; otherwise the key that holds it; neither, if it has none. */
  readonly node: { readonly json: string } | { readonly key: string } | null;
}

/** The lock of an election (`ConsulLeaderSelector`). */
export interface LeaderKey {
  readonly latch: Latch;
  /** What is wrong with it, as the end of a sentence; null if nothing is. */
  readonly fault: string | null;
}

const NO_LATCH: Latch = { participants: [] };
/** Longest value of a leader's key, in characters of base64. */
const LONGEST_VALUE = 2_048;

/**
 * Parses an answer of `/v1/health/service/NAME?passing`; null for what is no list. Keys of announcements are below
 * `keyPrefix` (`ConsulServiceIds.nodeKvKey`); others are not asked for. Never throws.
 */
export function parseServices(body: unknown, keyPrefix: string): readonly ServiceEntry[] | null {
  if (body === null) return [];
  if (!Array.isArray(body)) return null;
  return body.flatMap((item): ServiceEntry[] => {
    const id = textAt(item, 'Service', 'ID');
    if (id === '') return [];
    const json = textAt(item, 'Service', 'Meta', 'druid_node');
    const key = textAt(item, 'Service', 'Meta', 'druid_node_kv');
    const isBelow = key.startsWith(keyPrefix) && !key.split('/').includes('..');
    return [{ id, node: json !== '' ? { json } : isBelow ? { key } : null }];
  });
}

/**
 * Parses an answer of `/v1/kv/KEY`, null for a key that is not there. Somebody leads while a session holds the key. The key
 * is made anew for each leader (its session has the behaviour `delete`), so `CreateIndex` is the term; `LockIndex` is 1
 * each time. Never throws.
 */
export function parseLeaderKey(body: unknown): LeaderKey {
  if (body === null) return { latch: NO_LATCH, fault: null };
  const entry: unknown = Array.isArray(body) ? body[0] : null;
  if (fieldOf(entry, 'CreateIndex') === undefined) return { latch: NO_LATCH, fault: 'holds no entry' };
  if (textAt(entry, 'Session') === '') return { latch: NO_LATCH, fault: null };
  const created = fieldOf(entry, 'CreateIndex');
  const value = textAt(entry, 'Value');
  const text = value.length > LONGEST_VALUE ? '' : Buffer.from(value, 'base64').toString('utf8');
  const origin = parseOrigin(text);
  const sequence = Number.isSafeInteger(created) ? (created as number) : -1;
  return {
    latch: { participants: [{ sequence, origin }] },
    fault: origin === null ? 'names no node by a URL' : null,
  };
}

/** A key as a path: its slashes stay. */
export function keyPath(key: string): string {
  return `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
}
