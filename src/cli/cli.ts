import { ConfigError } from '../config/problems.ts';
import { FAILED, MISUSED, UsageError } from './command.ts';
import { serveWith } from './commands/serve.ts';
import { serveArguments } from './serve-arguments.ts';

/** Runs one command and sets the exit code of the process. Never rejects: errors are written to standard error. */
export async function run(args: readonly string[]): Promise<void> {
  try {
    process.exitCode = await execute(args);
  } catch (error) {
    process.exitCode = error instanceof UsageError || error instanceof ConfigError ? MISUSED : FAILED;
    const lines = error instanceof ConfigError ? error.problems : [sentence(error)];
    for (const line of lines) process.stderr.write(`druid-gateway: ${line}\n`);
  }
}

async function execute(args: readonly string[]): Promise<number> {
  const sources = serveArguments(args);
  if (sources !== null) return await serveWith(sources);
  const { runCommandLine } = await import('./command-line.ts');
  return await runCommandLine(args);
}

/** Describes an error in one line, without a stack. */
function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const where = port === undefined ? '' : ` ${address?.includes(':') ? `[${address}]` : address}:${port}`;
  if (code === 'EADDRINUSE') return `cannot listen on${where}: something else listens there`;
  if (code === 'EACCES') return `cannot listen on${where}: permission denied`;
  if (error instanceof Error && 'hostname' in error && (code === 'ENOTFOUND' || code === 'EAI_AGAIN')) {
    return `cannot listen on ${error.hostname}: this machine knows no address of that name`;
  }
  if (code === 'EADDRNOTAVAIL') return `cannot listen on${where}: this machine has no such address`;
  return error.message.split('\n')[0] ?? '';
}
