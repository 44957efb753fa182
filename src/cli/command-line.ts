import { type Command, CommanderError } from 'commander';
import { OK, UsageError } from './command.ts';
import { COMMANDS } from './commands.ts';
import { createProgram } from './program.ts';

/** What a program may be asked for its help with; `help` may be the value of a flag, too. */
const HELP: ReadonlySet<string> = new Set(['-h', '--help', 'help']);

/** Runs what the arguments ask for. Resolves to the exit code; throws `UsageError`, and what the command throws. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  // The schema is large, and only the help tells of it.
  const note = args.some((arg) => HELP.has(arg))
    ? (await import('../config/flag-note.ts')).flagNote
    : (): string => '';
  let code = OK;
  const program = createProgram(async (command, given) => {
    code = await command.run(given);
  }, note);
  try {
    await program.parseAsync(withCommand(program, args), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end this way, too.
    if (error.exitCode !== 0) throw new UsageError(`${sentence(error, program)}; see --help`);
  }
  return code;
}

/**
 * The arguments with a command that commander finds: one that stands behind an option of its own, or `serve` where
 * there is none. Commander's own default command would take a misspelt command for an argument of it.
 */
function withCommand(program: Command, args: readonly string[]): readonly string[] {
  const { operands, unknown } = program.parseOptions([...args]);
  if (operands.length > 0) return args;
  const named = COMMANDS.find(({ name }) => unknown.includes(name));
  if (named !== undefined) return [named.name, ...args.toSpliced(args.lastIndexOf(named.name), 1)];
  return unknown.includes('-h') || unknown.includes('--help') ? args : ['serve', ...args];
}

/** Commander's sentences with what they lack: which command an option belongs to. */
function sentence({ code, message }: CommanderError, program: Command): string {
  // `help` of a command that is not there.
  if (code === 'commander.help') return `there is no command ${program.args[1]}`;
  const [, kind, name = '', meant] =
    /^error: unknown (option|command) '(.*)'(?:\n\(Did you mean (.*)\?\))?$/s.exec(message) ?? [];
  if (kind === undefined)
    return message
      .replace(/^error: /, '')
      .replaceAll('\n', ' ')
      .replace(/\.$/, '');
  const [flag = ''] = name.split('=');
  const owners = program.commands.filter(({ options }) => options.some(({ long }) => long === flag));
  if (owners.length > 0) {
    return flag === name
      ? `${flag} goes with ${owners.map((owner) => owner.name()).join(' and ')} only`
      : `${flag} takes no value`;
  }
  return `there is no ${kind} ${name}${meant === undefined ? '' : `, did you mean ${meant}?`}`;
}
