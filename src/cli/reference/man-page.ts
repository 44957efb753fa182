import { EXIT_CODES, ORDER_OF_SOURCES } from '../help.ts';
import {
  type CommandReference,
  configurationOptions,
  type OptionReference,
  type ProgramReference,
  usageOf,
  writtenOption,
} from './describe.ts';

/** Returns the man page in roff, section 1. */
export function manPage(program: ProgramReference, version: string): string {
  const { name, summary, commands } = program;
  return `${[
    `.TH ${name.toUpperCase()} 1 "" "${roff(`${name} ${version}`)}" ""`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(summary.replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    `.B ${roff(name)}`,
    '[COMMAND] [OPTIONS]',
    '.SH COMMANDS',
    ...commands.flatMap(section),
    '.SH OPTIONS OF THE CONFIGURATION',
    roff(ORDER_OF_SOURCES),
    ...configurationOptions(program).flatMap(option),
    '.SH EXIT STATUS',
    roff(EXIT_CODES),
    '.SH EXAMPLES',
    ...commands.flatMap(({ examples }) =>
      examples.flatMap(({ line, what }) => ['.TP', `.B ${roff(line)}`, roff(what)]),
    ),
  ].join('\n')}\n`;
}

function section(command: CommandReference): readonly string[] {
  const own = command.options.filter(({ long }) => long !== '--help');
  const named = command.arguments.filter(({ description }) => description !== '');
  return [
    `.SS ${roff(usageOf(command))}`,
    `${roff(command.summary)}.`,
    ...named.flatMap(({ name, description }) => ['.TP', `.I ${roff(name)}`, roff(description)]),
    ...own.flatMap(option),
  ];
}

function option(reference: OptionReference): readonly string[] {
  return ['.TP', `.B ${roff(writtenOption(reference))}`, roff(reference.description)];
}

/** Escapes text: a backslash and a hyphen have a meaning, and so do a dot or a quote at the beginning of a line. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^(?=[.'])/gm, '\\&');
}
