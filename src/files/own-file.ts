import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';

/** Largest file in bytes, far above any real one; it is read in one piece. */
const LONGEST = 16 * 1024 * 1024;
/** Does not follow links, and does not block on a pipe without a writer. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_OTHERS = 0o002;

export type OwnFile =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'absent' }
  /** Completes a sentence that starts with the file. */
  | { readonly kind: 'unusable'; readonly why: string };

/** Reads a file that only this user or root can have written; a link, or anything else, is `unusable`. Never throws. */
export function readOwnFile(file: string): OwnFile {
  try {
    return readOwn(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'it cannot be read';
    if (code === 'ENOENT') return { kind: 'absent' };
    return { kind: 'unusable', why: code === 'ELOOP' ? 'it is a link' : code };
  }
}

/** Throws the system's error. */
function readOwn(file: string): OwnFile {
  const descriptor = openSync(file, READ);
  try {
    const why = whyNotOwn(fstatSync(descriptor));
    return why === null
      ? { kind: 'text', text: readFileSync(descriptor, 'utf8') }
      : { kind: 'unusable', why };
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
export async function replaceFile(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomBytes(12).toString('hex')}.tmp`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    try {
      await handle.writeFile(text);
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
