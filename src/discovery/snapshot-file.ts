import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { parseOrigin } from '../net/origin.ts';
import { type DiscoverySnapshot, MASTER_ROLES, ROLES, type Role } from './discovery.ts';

const FORMAT = 'druid-gateway snapshot';
/** Grows when an older gateway could misread the content. */
const VERSION = 1;

interface Content {
  readonly cluster: string;
  readonly readAt: number;
  readonly latches: DiscoverySnapshot['latches'];
  readonly announcements: DiscoverySnapshot['announcements'];
}

export type ReadResult =
  | { readonly kind: 'snapshot'; readonly snapshot: DiscoverySnapshot }
  | { readonly kind: 'absent' }
  /** `why` completes a sentence. */
  | { readonly kind: 'unusable'; readonly why: string };

export interface Expected {
  readonly cluster: string;
  readonly maxAgeMs: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** Reads a snapshot that `writeSnapshot` wrote. Anything else is `unusable`, never an exception. */
export function readSnapshot(file: string, { cluster, maxAgeMs, now }: Expected): ReadResult {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'it cannot be read';
    return code === 'ENOENT' ? { kind: 'absent' } : { kind: 'unusable', why: code };
  }
  const content = contentOrWhyNot(text);
  if (typeof content === 'string') return { kind: 'unusable', why: content };
  if (content.cluster !== cluster) return { kind: 'unusable', why: 'it is of another cluster' };
  if (now - content.readAt > maxAgeMs) return { kind: 'unusable', why: 'it is too old' };
  const { latches, announcements, readAt } = content;
  return { kind: 'snapshot', snapshot: { version: 0, complete: true, latches, announcements, readAt } };
}

/** Replaces the file as a whole: a reader, or a crash at any moment, finds the old content or the new one. */
export async function writeSnapshot(
  file: string,
  cluster: string,
  { readAt, latches, announcements }: DiscoverySnapshot,
): Promise<void> {
  const content: Content = { cluster, readAt, latches, announcements };
  const text = JSON.stringify({ format: FORMAT, version: VERSION, sha256: digest(content), content });
  const draft = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(draft, 'w', 0o600);
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
    // So deep that it cannot be written again, for one.
    return 'it cannot be read';
  }
}

/** The content, or why it is none. */
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
  return typeof sequence === 'number' && (origin === null || isOrigin(origin));
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
