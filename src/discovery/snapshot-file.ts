import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { parseOrigin } from '../net/origin.ts';
import { type DiscoverySnapshot, MASTER_ROLES, ROLES, type Role } from './discovery.ts';

const FORMAT = 'druid-gateway snapshot';
/** Grows when an older gateway could misread the content. */
const VERSION = 1;
/** Largest file in bytes, far above any real one; it is read in one piece at the start. */
const LONGEST = 16 * 1024 * 1024;
/** Clock difference allowed between two starts, in ms. */
const CLOCK_SLACK = 60_000;
/** Does not follow links, and does not block on a pipe without a writer. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_OTHERS = 0o002;

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
  let read: string | Refused;
  try {
    read = readOwn(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'it cannot be read';
    if (code === 'ENOENT') return { kind: 'absent' };
    return { kind: 'unusable', why: code === 'ELOOP' ? 'it is a link' : code };
  }
  if (typeof read !== 'string') return { kind: 'unusable', why: read.why };
  const content = contentOrWhyNot(read);
  if (typeof content === 'string') return { kind: 'unusable', why: content };
  if (content.cluster !== cluster) return { kind: 'unusable', why: 'it is of another cluster' };
  if (content.readAt - now > CLOCK_SLACK) return { kind: 'unusable', why: 'its time is yet to come' };
  if (now - content.readAt > maxAgeMs) return { kind: 'unusable', why: 'it is too old' };
  const { latches, announcements, readAt } = content;
  return { kind: 'snapshot', snapshot: { version: 0, complete: true, latches, announcements, readAt } };
}

interface Refused {
  readonly why: string;
}

/** Returns the text of a file that only this user or root can have written. Throws the system's error. */
function readOwn(file: string): string | Refused {
  const descriptor = openSync(file, READ);
  try {
    const stats = fstatSync(descriptor);
    const why = whyNotOwn(stats);
    return why === null ? readFileSync(descriptor, 'utf8') : { why };
  } finally {
    closeSync(descriptor);
  }
}

/** Groups of this process count as its own: Kubernetes makes volumes writable for one (`fsGroup`). */
function whyNotOwn(stats: Stats): string | null {
  if (!stats.isFile()) return 'it is no file';
  if (stats.size > LONGEST) return 'it is too long';
  const user = process.getuid?.() ?? stats.uid;
  if (stats.uid !== user && stats.uid !== 0) return 'it is of another user';
  const groups = process.getgroups?.() ?? [stats.gid];
  const othersWrite =
    (stats.mode & WRITABLE_BY_OTHERS) !== 0 ||
    ((stats.mode & WRITABLE_BY_GROUP) !== 0 &&
      stats.gid !== process.getgid?.() &&
      !groups.includes(stats.gid));
  return othersWrite ? 'other users can write to it' : null;
}

/**
 * Replaces the file atomically: a reader, or a crash at any moment, finds the old content or the new one. The
 * temporary file beside it has a random name and must not exist yet, so a file that another user put there is never
 * written to. Rejects with the system's error.
 */
export async function writeSnapshot(
  file: string,
  cluster: string,
  { readAt, latches, announcements }: DiscoverySnapshot,
): Promise<void> {
  const content: Content = { cluster, readAt, latches, announcements };
  const text = JSON.stringify({ format: FORMAT, version: VERSION, sha256: digest(content), content });
  const draft = `${file}.${randomBytes(12).toString('hex')}.tmp`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    try {
      await handle.writeFile(`${text}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
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
  const { hostAndPort, origin, service, version, labels } = one;
  const named = isText(hostAndPort) && isText(service) && (version === null || isText(version));
  return named && one.role === role && isOrigin(origin) && (labels === undefined || areLabels(labels));
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
