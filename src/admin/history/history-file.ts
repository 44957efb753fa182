import { renameSync } from 'node:fs';
import type { KnownBy } from '../../cluster/view.ts';
import { MASTER_ROLES } from '../../discovery/discovery.ts';
import { readOwnFile, replaceFile } from '../../files/own-file.ts';
import type { Term } from './term.ts';

const FORMAT = 'druid-gateway history';
/** Grows when an older gateway could misread the content. */
const VERSION = 1;

/** The record of an earlier run. */
export interface KeptHistory {
  /** The cluster whose leaders these are. */
  readonly cluster: string;
  /** ISO time at which the record began. */
  readonly since: string;
  /** ISO time at which it was written. */
  readonly writtenAt: string;
  readonly terms: readonly Term[];
}

export type HistoryRead =
  | { readonly kind: 'history'; readonly history: KeptHistory }
  | { readonly kind: 'absent' }
  /** Completes a sentence that starts with the file. */
  | { readonly kind: 'unusable'; readonly why: string };

/** Reads a history that `writeHistory` wrote for this cluster. Never throws: anything else is `unusable`. */
export function readHistory(file: string, cluster: string): HistoryRead {
  const read = readOwnFile(file);
  if (read.kind !== 'text') return read;
  let parsed: unknown;
  try {
    parsed = JSON.parse(read.text);
  } catch {
    return { kind: 'unusable', why: 'it is no JSON' };
  }
  const why = whyNot(parsed, cluster);
  return why === null ? { kind: 'history', history: parsed as KeptHistory } : { kind: 'unusable', why };
}

/** Replaces the file, see `replaceFile`. */
export function writeHistory(file: string, history: KeptHistory): Promise<void> {
  return replaceFile(file, `${JSON.stringify({ format: FORMAT, version: VERSION, ...history })}\n`);
}

/**
 * Renames a file that cannot be used, so that it is not overwritten; one that was set aside before is lost. A link
 * is renamed itself. Returns the new name, or null if the system refuses.
 */
export function setAside(file: string): string | null {
  const aside = `${file}.unusable`;
  try {
    renameSync(file, aside);
    return aside;
  } catch {
    return null;
  }
}

function whyNot(parsed: unknown, cluster: string): string | null {
  if (!isObject(parsed) || parsed.format !== FORMAT) return 'it is no history';
  if (parsed.version !== VERSION) return `its version is not ${VERSION}`;
  const { since, writtenAt, terms } = parsed;
  const whole = isTime(since) && isTime(writtenAt) && Array.isArray(terms) && terms.every(isTerm);
  if (!whole) return 'it is not whole';
  return parsed.cluster === cluster ? null : 'it is of another cluster';
}

const KNOWN_BY: readonly KnownBy[] = ['latch', 'probe', 'both', 'stale', 'nothing'];

function isTerm(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { role, node, term, from, to, gapMs, waited, failed, knownBy } = value;
  return (
    MASTER_ROLES.some((known) => known === role) &&
    KNOWN_BY.some((known) => known === knownBy) &&
    typeof node === 'string' &&
    (term === null || isCount(term)) &&
    isTime(from) &&
    (to === null || isTime(to)) &&
    (gapMs === null || isCount(gapMs)) &&
    isCount(waited) &&
    isCount(failed)
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Whether it is a time as `toISOString` writes it. */
function isTime(value: unknown): boolean {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString() === value;
}
