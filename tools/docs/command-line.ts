import { COMMANDS } from '../../src/cli/commands.ts';
import { EXIT_CODES, ORDER_OF_SOURCES } from '../../src/cli/help.ts';
import { createProgram } from '../../src/cli/program.ts';
import {
  type CommandReference,
  configurationOptions,
  describeProgram,
  type OptionReference,
  usageOf,
  writtenOption,
} from '../../src/cli/reference/describe.ts';
import { table } from './table.ts';

/** The reference of the command line, made of the table of commands. */
export function commandLine(): string {
  const program = createProgram(
    async () => {},
    () => '',
  );
  const reference = describeProgram({ program, commands: COMMANDS });
  return [
    '# Command line',
    'Made of `src/cli/commands.ts` by `npm run docs:generate`; `druid-gateway help [COMMAND]`, `druid-gateway man` and the completion of the shells are made of the same.',
    ...reference.commands.map(section),
    '## Options of the configuration',
    `They stand before or behind \`serve\` and \`check-config\`. ${flat(ORDER_OF_SOURCES)}`,
    optionTable(configurationOptions(reference)),
    '## Exit status',
    flat(EXIT_CODES),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

function section(command: CommandReference): string {
  const { name, summary, takesConfiguration, examples } = command;
  const own = command.options.filter(({ long }) => long !== '--help');
  const named = command.arguments.filter(({ description }) => description !== '');
  return [
    `## ${name}`,
    `\`${usageOf(command)}\``,
    `${summary}.${takesConfiguration ? ' Takes the [options of the configuration](#options-of-the-configuration).' : ''}`,
    ...(named.length + own.length === 0
      ? []
      : [
          table(
            ['argument or option', 'meaning'],
            [
              ...named.map((argument) => [`\`${argument.name}\``, withChoices(argument)]),
              ...own.map(optionRow),
            ],
          ),
        ]),
    `\`\`\`sh\n${examples.map(({ line, what }) => `${line}   # ${what}`).join('\n')}\n\`\`\``,
  ].join('\n\n');
}

function optionTable(options: readonly OptionReference[]): string {
  return table(['option', 'meaning'], options.map(optionRow));
}

function optionRow(option: OptionReference): readonly string[] {
  return [`\`${writtenOption(option)}\``, option.description];
}

function withChoices({ description, choices }: CommandReference['arguments'][number]): string {
  return choices.length === 0
    ? description
    : `${description}: ${choices.map((each) => `\`${each}\``).join(', ')}`;
}

function flat(text: string): string {
  return text.replaceAll('\n', ' ');
}
