import { spawn } from 'node:child_process';

/** What a program has done. */
export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Variables besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its standard input. */
  readonly input?: string;
}

/** Runs a program to its end. Resolves with null if there is no such program. */
export function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result | null> {
  const { cwd, env = {}, input = '' } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env } });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(null);
      else reject(error);
    });
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    // A program that does not read its input may have ended before it is written.
    child.stdin.on('error', () => {}).end(input);
  });
}
