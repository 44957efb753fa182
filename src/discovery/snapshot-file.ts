import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { readOwnFile, replaceFile } from '../files/own-file.ts';
import { parseOrigin } from '../net/origin.ts';
import { type DiscoverySnapshot, MASTER_ROLES, ROLES, type Role } from './discovery.ts';

const FORMAT = 'druid-gateway snapshot';
/** Grows when an older gateway could misread the content. */
const VERSION = 1;
/** Clock difference allowed between two starts, in ms. */
const CLOCK_SLACK = 60_000;

interface Content {
  readonly cluster: string;
  readonly readAt: number;
  readonly latches: DiscoverySnapshot['latches'];
  readonly announcements: DiscoverySnapshot['announcements'];
}

export type ReadResult =
  | { readonly kind: 'snapshot'; readonly snapshot: DiscoverySnapshot }
  | { readonly kind: 'absent' }
  /** Completes a sentence that starts with the file. */
  | { readonly kind: 'unusable'; readonly why: string };

export interface Expected {
  readonly cluster: string;
  readonly maxAgeMs: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

/**
 * Reads a snapshot that `writeSnapshot` wrote. Never throws: anything else is `unusable`. So is a file that another
 * user could have written, because the snapshot decides which nodes get clients' credentials.
 */
export function readSnapshot(file: string, { cluster, maxAgeMs, now }: Expected): ReadResult {
  const read = readOwnFile(file);
  if (read.kind !== 'text') return read;
  const content = contentOrWhyNot(read.text);
  if (typeof content === 'string') return { kind: 'unusable', why: content };
  if (content.cluster !== cluster) return { kind: 'unusable', why: 'it is of another cluster' };
  if (content.readAt - now > CLOCK_SLACK) return { kind: 'unusable', why: 'its time is yet to come' };
  if (now - content.readAt > maxAgeMs) return { kind: 'unusable', why: 'it is too old' };
  const { latches, announcements, readAt } = content;
  return { kind: 'snapshot', snapshot: { version: 0, complete: true, latches, announcements, readAt } };
}

/** Replaces the file, see `replaceFile`. */
export function writeSnapshot(
  file: string,
  cluster: string,
  { readAt, latches, announcements }: DiscoverySnapshot,
): Promise<void> {
  const content: Content = { cluster, readAt, latches, announcements };
  const text = JSON.stringify({ format: FORMAT, version: VERSION, sha256: digest(content), content });
  return replaceFile(file, `${text}\n`);
}

function contentOrWhyNot(text: string): Content | string {
  try {
    return contentOf(text);
  } catch {
    // For example, nested so deeply that it cannot be serialized again.
    return 'it cannot be read';
  }
}

/** Returns the content, or why the text is not a snapshot. */
function contentOf(text: string): Content | string {
  let parsed: { format?: unknown; version?: unknown; sha256?: unknown; content?: unknown } | null;
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch {
    return 'it is no JSON';
  }
  if (parsed?.format !== FORMAT) return 'it is no snapshot';
  if (parsed.version !== VERSION) return `its version is not ${VERSION}`;
  const { content } = parsed;
  if (!isObject(content) || digest(content) !== parsed.sha256) return 'its checksum is wrong';
  const { announcements, latches } = content;
  const whole =
    isText(content.cluster) &&
    typeof content.readAt === 'number' &&
    isObject(announcements) &&
    ROLES.every((role) => isListOf(announcements[role], (one) => isAnnouncement(one, role))) &&
    isObject(latches) &&
    MASTER_ROLES.every(
      (role) => isObject(latches[role]) && isListOf(latches[role].participants, isParticipant),
    );
  return whole ? (content as unknown as Content) : 'it is not whole';
}

function isAnnouncement(one: Fields, role: Role): boolean {
  const { hostAndPort, origin, service, version, labels, address } = one;
  const named = isText(hostAndPort) && isText(service) && (version === null || isText(version));
  const reached = address === undefined || (isText(address) && isIP(address) !== 0);
  return (
    named && reached && one.role === role && isOrigin(origin) && (labels === undefined || areLabels(labels))
  );
}

function areLabels(labels: unknown): boolean {
  return Array.isArray(labels) && labels.every((label) => Array.isArray(label) && label.every(isText));
}

function isParticipant({ sequence, origin }: Fields): boolean {
  return Number.isSafeInteger(sequence) && (origin === null || isOrigin(origin));
}

type Fields = Readonly<Record<string, unknown>>;

function isListOf(value: unknown, is: (one: Fields) => boolean): boolean {
  return Array.isArray(value) && value.every((one) => isObject(one) && is(one));
}

function isOrigin(value: unknown): boolean {
  return isText(value) && parseOrigin(value) === value;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function digest(content: object): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}
