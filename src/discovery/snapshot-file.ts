import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { type DiscoverySnapshot, MASTER_ROLES, ROLES } from './discovery.ts';

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
  const content = contentOf(text);
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

/** The content, or why it is none. */
function contentOf(text: string): Content | string {
  let parsed: { format?: unknown; version?: unknown; sha256?: unknown; content?: Content } | null;
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch {
    return 'it is no JSON';
  }
  if (parsed?.format !== FORMAT) return 'it is no snapshot';
  if (parsed.version !== VERSION) return `its version is not ${VERSION}`;
  const { content } = parsed;
  if (content === undefined || digest(content) !== parsed.sha256) return 'its checksum is wrong';
  const whole =
    ROLES.every((role) => Array.isArray(content.announcements?.[role])) &&
    MASTER_ROLES.every((role) => Array.isArray(content.latches?.[role]?.participants));
  return whole ? content : 'it is not whole';
}

function digest(content: Content): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}
