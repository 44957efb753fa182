import { ConfigError } from '../config/problems.ts';
import { version } from '../version.ts';
import { type Command, HELP, parseCommand, UsageError } from './arguments.ts';

const OK = 0;
const FAILED = 1;
const MISUSED = 2;

/** Runs one command; sets the exit code of the process. */
export async function run(args: readonly string[]): Promise<void> {
  try {
    process.exitCode = await execute(parseCommand(args));
  } catch (error) {
    process.exitCode = error instanceof UsageError || error instanceof ConfigError ? MISUSED : FAILED;
    const lines = error instanceof ConfigError ? error.problems : [sentence(error)];
    for (const line of lines) process.stderr.write(`druid-gateway: ${line}\n`);
  }
}

async function execute(command: Command): Promise<number> {
  switch (command.name) {
    case 'help':
      process.stdout.write(HELP);
      return OK;
    case 'version':
      process.stdout.write(`${version}\n`);
      return OK;
    case 'check-config': {
      const { checkConfig } = await import('./check-config.ts');
      const { text, warnings } = checkConfig(command.sources, command.print);
      process.stdout.write(text);
      for (const warning of warnings) process.stderr.write(`druid-gateway: warning: ${warning}\n`);
      return OK;
    }
    case 'serve': {
      const { serve } = await import('./serve.ts');
      await serve(command.sources);
      return OK;
    }
  }
}

/** What went wrong, in one line and without a stack. */
function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const where = port === undefined ? '' : ` ${address?.includes(':') ? `[${address}]` : address}:${port}`;
  if (code === 'EADDRINUSE') return `cannot listen on${where}: something else listens there`;
  if (code === 'EACCES') return `cannot listen on${where}: permission denied`;
  if (code === 'EADDRNOTAVAIL') return `cannot listen on${where}: this machine has no such address`;
  return error.message.split('\n')[0] ?? '';
}
