import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';

export interface ProcessSpec {
  /** For messages: `coordinator-1`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Working folder, for what a program drops where it stands. */
  readonly cwd: string;
  /** Both outputs go here, appended. */
  readonly logFile: string;
  /** Whom it runs as instead of the parent's user, which only root may say. */
  readonly owner?: Owner;
}

/** A user of this machine by its numbers. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A child process that ends with its parent's say, and by its own id. */
export interface ManagedProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  readonly running: boolean;
  /** Resolves when it has ended, however that came. */
  readonly ended: Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after so many milliseconds. */
  stop(graceMs: number): Promise<void>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a process in a group of its own, so that a Ctrl-C in the terminal is the parent's to deal with. It ends at the latest with its parent. */
export async function startProcess({
  name,
  command,
  args,
  cwd,
  logFile,
  owner,
}: ProcessSpec): Promise<ManagedProcess> {
  const log = await open(logFile, 'a');
  const child = spawn(command, args, { cwd, stdio: ['ignore', log.fd, log.fd], detached: true, ...owner });
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      running.delete(child);
      resolve();
    };
    child.once('exit', end);
    child.once('error', end);
  });
  await once(child, 'spawn');
  await log.close();
  const runs = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    name,
    pid: child.pid ?? 0,
    logFile,
    get running() {
      return runs();
    },
    ended,
    kill(signal) {
      if (runs()) child.kill(signal);
    },
    async stop(graceMs) {
      if (!runs()) return;
      child.kill('SIGTERM');
      // A stopped process would not hear it.
      child.kill('SIGCONT');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** The last lines of a process's log, for an error message. */
export async function lastLines(process: ManagedProcess, count = 8): Promise<string> {
  const text = await readFile(process.logFile, 'utf8');
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
