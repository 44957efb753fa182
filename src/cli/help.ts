import type { Command } from 'commander';
import { isAdminOption } from './admin/options.ts';
import type { CliCommand } from './command.ts';

export const ORDER_OF_SOURCES = `Flags win over environment variables (DRUID_GATEWAY__SECTION__KEY), these over the file, the file over Druid's
properties, and these over the defaults.`;

export const EXIT_CODES = `Ends with 0 on SIGTERM after draining, 1 when it cannot start, 2 when the command line or the configuration is
wrong, 70 after a fault of its own. Commands that ask a gateway end with 1 when it cannot be asked or refuses.`;

/** Longest name of a command with its options in the list of all, in characters; flags of the configuration are as long. */
const LONGEST_TERM = 45;

/** Formats the help of one command; `withFlags` includes the flags of the configuration. */
export function layOut(declaration: Command, withFlags: boolean): void {
  declaration.configureHelp({
    showGlobalOptions: withFlags,
    optionTerm: ({ flags }) => flags.replace(/[<>]/g, ''),
    subcommandTerm,
  });
}

/** Names a command with its arguments, and with its options if there are few: descriptions begin behind the longest. */
function subcommandTerm(command: Command): string {
  const given = command.registeredArguments.map((argument) =>
    argument.required ? argument.name() : `[${argument.name()}]`,
  );
  const options = command.options
    .filter(({ long }) => !isAdminOption(long))
    .map(({ flags }) => `[${flags.replace(/[<>]/g, '')}]`);
  const whole = [command.name(), ...given, ...options].join(' ');
  return whole.length <= LONGEST_TERM ? whole : [command.name(), ...given, '[OPTIONS]'].join(' ');
}

/** Formats the examples of some commands, at most `most` of each, every one above its explanation. */
export function examples(commands: readonly CliCommand[], most: number = Number.POSITIVE_INFINITY): string {
  const lines = commands.flatMap((command) => command.examples.slice(0, most));
  return `\nExamples:\n${lines.map(({ line, what }) => `  $ ${line}\n      ${what}`).join('\n')}`;
}
