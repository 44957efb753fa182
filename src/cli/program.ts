import { Command, InvalidArgumentError, Option } from 'commander';
import { FLAGS, type Flag, type Flags } from '../config/flags.ts';
import { version } from '../version.ts';
import { declareAdminOptions } from './admin/options.ts';
import { type CliCommand, type Given, type SourceArguments, UsageError } from './command.ts';
import { COMMANDS } from './commands.ts';
import { EXIT_CODES, examples, layOut, ORDER_OF_SOURCES } from './help.ts';

const FILE_OPTIONS = [
  ['--config <FILE>', 'a YAML file; config/full.yaml explains every key'],
  ['--druid-properties <FILE>', "Druid's own common.runtime.properties"],
] as const;

/**
 * Creates commander's objects for the command line: a program with the configuration's flags, and one subcommand
 * per command.
 *
 * @param run is called with the requested command once the whole command line is parsed
 * @param note returns text to append to the description of a flag
 */
export function createProgram(
  run: (command: CliCommand, given: Given) => Promise<void>,
  note: (flag: Flag) => string,
): Command {
  const program = new Command('druid-gateway');
  program
    .description('One URL for a highly available Apache Druid cluster.')
    .exitOverride()
    // Errors are reported in one place, `cli.ts`.
    .configureOutput({ writeErr() {} })
    .helpOption('-h, --help', 'show this help, or that of a command')
    .helpCommand('help [command]', 'Show this help, or that of a command')
    .version(version, '-V, --version', 'print the version');
  layOut(program, false);
  for (const flag of FLAGS) {
    program.addOption(valued(`--${flag.name} <${flag.value}>`, `${flag.description}${note(flag)}`));
  }
  for (const [flags, description] of FILE_OPTIONS) program.addOption(valued(flags, description));
  for (const command of COMMANDS) addCommand(program, command, run);
  program.addHelpText('after', `\n${ORDER_OF_SOURCES}\n\n${EXIT_CODES}`);
  program.addHelpText('after', examples(COMMANDS, 1));
  return program;
}

function addCommand(
  program: Command,
  command: CliCommand,
  run: (command: CliCommand, given: Given) => Promise<void>,
): void {
  const declaration = program.command(command.name).description(command.summary);
  // Commander only counts extra arguments; the check below names the word.
  declaration.allowExcessArguments();
  command.declare?.(declaration);
  if (command.asksGateway) declareAdminOptions(declaration);
  layOut(declaration, command.takesConfiguration);
  if (command.takesConfiguration) declaration.addHelpText('after', `\n${ORDER_OF_SOURCES}`);
  declaration.addHelpText('after', examples([command]));
  declaration.action(async () => {
    const extra = declaration.args[declaration.registeredArguments.length];
    if (extra !== undefined) throw new UsageError(`${extra} is one argument too many; see --help`);
    await run(command, {
      sources: sourcesOf(program),
      options: declaration.opts(),
      args: declaration.args,
      commandLine: () => ({ program, commands: COMMANDS }),
    });
  });
}

/** An option with a value. Commander would take the next option as the value if it was forgotten. */
function valued(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string) => {
    if (value.startsWith('-')) throw new InvalidArgumentError('It looks like an option');
    return value;
  });
}

function sourcesOf(program: Command): SourceArguments {
  const { config, druidProperties, ...given } = program.opts<Readonly<Record<string, string | undefined>>>();
  const flags = FLAGS.map(({ name }) => [name, given[optionKey(name)]]).filter(
    ([, value]) => value !== undefined,
  );
  return {
    flags: Object.fromEntries(flags) as Flags,
    ...(config === undefined ? {} : { file: config }),
    ...(druidProperties === undefined ? {} : { druidProperties }),
  };
}

/** The name by which commander has the value of an option: `logLevel` for `--log-level`. */
function optionKey(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
