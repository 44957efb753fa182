import type { Command, Option } from 'commander';
import { flagNote } from '../../config/flag-note.ts';
import { FLAGS } from '../../config/flags.ts';
import { schemaAt } from '../../config/schema-walk.ts';
import type { CliCommand, CommandLine, Example } from '../command.ts';

/** The command line as data, made of the table of commands; for completion, the man page and the reference. */
export interface ProgramReference {
  readonly name: string;
  readonly summary: string;
  /** Options that stand before or behind every command that reads the configuration. */
  readonly options: readonly OptionReference[];
  readonly commands: readonly CommandReference[];
}

export interface CommandReference {
  readonly name: string;
  readonly summary: string;
  readonly takesConfiguration: boolean;
  readonly arguments: readonly ArgumentReference[];
  readonly options: readonly OptionReference[];
  readonly examples: readonly Example[];
}

export interface ArgumentReference {
  readonly name: string;
  readonly required: boolean;
  readonly description: string;
  readonly choices: readonly string[];
}

export interface OptionReference {
  /** `-V`; null if there is none. */
  readonly short: string | null;
  /** `--config` */
  readonly long: string;
  /** The form of the value, such as `FILE`; null if it has none. */
  readonly value: string | null;
  readonly choices: readonly string[];
  readonly description: string;
}

/** Describes the command line; adds what the schema knows of the configuration's flags. */
export function describeProgram({ program, commands }: CommandLine): ProgramReference {
  return {
    name: program.name(),
    summary: program.description(),
    options: [
      ...program.options.map((option) => withNote(describeOption(option))),
      help('show this help, or that of a command'),
    ],
    commands: commands.map((command) => describeCommand(command, declarationOf(program, command.name))),
  };
}

function declarationOf(program: Command, name: string): Command {
  const found = program.commands.find((command) => command.name() === name);
  if (found === undefined) throw new Error(`the program has no command ${name}`);
  return found;
}

function describeCommand(
  { name, summary, takesConfiguration, examples }: CliCommand,
  declaration: Command,
): CommandReference {
  return {
    name,
    summary,
    takesConfiguration,
    examples,
    arguments: declaration.registeredArguments.map((argument) => ({
      name: argument.name(),
      required: argument.required,
      description: argument.description,
      choices: argument.argChoices ?? [],
    })),
    options: [...declaration.options.map(describeOption), help('show the help of this command')],
  };
}

function describeOption({ short, long, flags, description, argChoices }: Option): OptionReference {
  return {
    short: short ?? null,
    long: long ?? '',
    value: /<(.*)>/.exec(flags)?.[1] ?? null,
    choices: argChoices ?? [],
    description,
  };
}

/** Adds choices and default of the key that an option sets. */
function withNote(option: OptionReference): OptionReference {
  const flag = FLAGS.find(({ name }) => `--${name}` === option.long);
  if (flag === undefined) return option;
  const choices = (schemaAt(flag.path)?.enum ?? []).map(String);
  return { ...option, choices, description: `${flag.description}${flagNote(flag)}` };
}

function help(description: string): OptionReference {
  return { short: '-h', long: '--help', value: null, choices: [], description };
}

/** Whether the value of an option is the name of a file. */
export function takesFile({ value }: OptionReference): boolean {
  return value === 'FILE';
}

/** All options that stand with a command: its own, then those of the configuration if it reads it. */
export function optionsOf(program: ProgramReference, command: CommandReference): readonly OptionReference[] {
  return [...command.options, ...(command.takesConfiguration ? configurationOptions(program) : [])];
}

/** The program's options that are of the configuration. */
export function configurationOptions({ options }: ProgramReference): readonly OptionReference[] {
  return options.filter(({ long }) => long !== '--version' && long !== '--help');
}

/** How a command is written: `brokers ACTION NAME [options]`. */
export function usageOf({ name, arguments: given }: CommandReference): string {
  const names = given.map((argument) => (argument.required ? argument.name : `[${argument.name}]`));
  return ['druid-gateway', name, ...names, '[OPTIONS]'].join(' ');
}

/** How an option is written: `-h, --help`, `--config FILE`. */
export function writtenOption({ short, long, value }: OptionReference): string {
  return `${short === null ? '' : `${short}, `}${long}${value === null ? '' : ` ${value}`}`;
}
