import { realpath, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { createPoller } from '../time/poller.ts';

export interface FileWatchOptions {
  /** The files to look at; read before each look. */
  readonly files: () => readonly string[];
  /** Milliseconds between two looks. */
  readonly intervalMs: number;
  /** Some of the files have changed, and have stayed so for a moment. */
  readonly onChange: () => void;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
}

/** A changed file is taken as written once it has been the same for so long, in milliseconds. */
const SETTLED_MS = 500;

/**
 * Looks at files again and again, until the returned function is called. Links are followed at each look: a volume of
 * Kubernetes is changed by swapping a link in the path, which the system's notifications of the file itself miss.
 */
export function watchFiles({ files, intervalMs, onChange, errors }: FileWatchOptions): () => void {
  let known: string | null = null;
  let stopped = false;

  async function look(): Promise<void> {
    const before = await identity(files());
    known ??= before;
    if (before === known) return;
    // It may be in the middle of being written.
    await sleep(Math.min(SETTLED_MS, intervalMs));
    const after = await identity(files());
    if (stopped || after !== before) return;
    known = after;
    onChange();
  }

  const poller = createPoller({
    ask: look,
    interval: () => intervalMs,
    random: Math.random,
    errors,
  });
  return () => {
    stopped = true;
    poller.stop();
  };
}

/** Differs if any file is another one than before, or has been written. */
async function identity(files: readonly string[]): Promise<string> {
  const each = await Promise.all(files.map(identityOf));
  return JSON.stringify(each);
}

async function identityOf(file: string): Promise<readonly string[]> {
  try {
    const path = await realpath(file);
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
    return [file, path, ...[dev, ino, size, mtimeNs].map(String)];
  } catch (error) {
    return [file, String((error as NodeJS.ErrnoException).code)];
  }
}
