import { type Command, CommanderError } from 'commander';
import { OK, UsageError } from './command.ts';
import { COMMANDS } from './commands.ts';
import { createProgram } from './program.ts';

/** Arguments that ask a program for help; `help` may also be the value of a flag. */
const HELP: ReadonlySet<string> = new Set(['-h', '--help', 'help']);

/**
 * Runs the command that the arguments name. Resolves to the exit code. Rejects with `UsageError`, or with the
 * command's error.
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  // The schema is large and only help needs it.
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
    // Commander also ends help and version with an error, of exit code 0.
    if (error.exitCode !== 0) throw new UsageError(`${sentence(error, program)}; see --help`);
  }
  return code;
}

/**
 * Returns the arguments with a command that commander can find: one placed after its own option, or `serve` if
 * there is none. Commander's default command would take a misspelt command for its argument.
 */
function withCommand(program: Command, args: readonly string[]): readonly string[] {
  const { operands, unknown } = program.parseOptions([...args]);
  if (operands.length > 0) return args;
  const named = COMMANDS.find(({ name }) => unknown.includes(name));
  if (named !== undefined) return [named.name, ...args.toSpliced(args.lastIndexOf(named.name), 1)];
  return unknown.includes('-h') || unknown.includes('--help') ? args : ['serve', ...args];
}

/** Adds to commander's message which command an option belongs to. */
function sentence({ code, message }: CommanderError, program: Command): string {
  // `help` of an unknown command.
  if (code === 'commander.help') return `there is no command ${program.args[1]}`;
  const [, wrong, argument, choices] =
    /^error: command-argument value '(.*)' is invalid for argument '(.*)'\. Allowed choices are (.*)\.$/s.exec(
      message,
    ) ?? [];
  if (wrong !== undefined) return `${argument} is ${wrong}; expected one of ${choices}`;
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
