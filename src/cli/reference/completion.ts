import {
  type CommandReference,
  type OptionReference,
  optionsOf,
  type ProgramReference,
  takesFile,
} from './describe.ts';
import type { Shell } from './shells.ts';

/** Returns the completion script of a shell. */
export function completionScript(shell: Shell, program: ProgramReference): string {
  return SCRIPTS[shell](program);
}

const SCRIPTS: Readonly<Record<Shell, (program: ProgramReference) => string>> = { bash, zsh, fish };

/** The words that may follow a command: options, and choices of its arguments. */
function wordsOf(program: ProgramReference, command: CommandReference): string {
  const options = optionsOf(program, command).map(({ long }) => long);
  return [...command.arguments.flatMap(({ choices }) => choices), ...new Set(options)].join(' ');
}

function bash(program: ProgramReference): string {
  const names = program.commands.map(({ name }) => name);
  const places = [
    { name: '', options: program.options },
    ...program.commands.map((command) => ({ name: command.name, options: optionsOf(program, command) })),
  ];
  /** Patterns of a command, a colon and an option of it whose value is such. */
  const after = (is: (option: OptionReference) => boolean): string =>
    places
      .flatMap(({ name, options }) =>
        options.filter((option) => option.value !== null && is(option)).map(({ long }) => `${name}:${long}`),
      )
      .join(' | ');
  const lists = new Set(places.flatMap(({ options }) => options.map(({ choices }) => choices.join(' '))));
  const chosen = [...lists].filter((list) => list !== '');
  const first = [...names, 'help', ...program.options.map(({ long }) => long)].join(' ');
  return `# Completion of druid-gateway for bash 4 and later. To load it: source <(druid-gateway completion bash)
_druid_gateway() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command='' word words
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      ${[...names, 'help'].join(' | ')}) command=$word; break ;;
    esac
  done
  case $command:$before in
    ${after(takesFile)})
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return ;;
${chosen.map((list) => `    ${after(({ choices }) => choices.join(' ') === list)}) words='${list}' ;;`).join('\n')}
    ${after((option) => !takesFile(option) && option.choices.length === 0)}) return ;;
    *)
      case $command in
        '') words='${first}' ;;
        help) words='${names.join(' ')}' ;;
${program.commands.map((command) => `        ${command.name}) words='${wordsOf(program, command)}' ;;`).join('\n')}
      esac ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _druid_gateway druid-gateway
`;
}

/** Quotes text for zsh and fish: both take anything but the quote in single quotes. */
function quoted(text: string, escapedQuote: string): string {
  return `'${text.replaceAll("'", escapedQuote)}'`;
}

function zsh(program: ProgramReference): string {
  const described = (name: string, description: string): string => quoted(`${name}:${description}`, `'\\''`);
  const specs = (command: CommandReference): string =>
    [...optionsOf(program, command).map(zshOption), ...command.arguments.map(zshArgument)]
      .map((spec) => quoted(spec, `'\\''`))
      .join(' \\\n        ');
  return `#compdef druid-gateway
# Completion of druid-gateway for zsh. To load it: source <(druid-gateway completion zsh)
_druid_gateway() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a commands=(
${program.commands.map(({ name, summary }) => `    ${described(name, summary)}`).join('\n')}
    'help:Show the help, or that of a command'
  )
  _arguments -C \\
    ${program.options.map((option) => quoted(zshOption(option), `'\\''`)).join(' \\\n    ')} \\
    '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
        help) _describe command commands ;;
${program.commands
  .map((command) => `        ${command.name})\n      _arguments \\\n        ${specs(command)} ;;`)
  .join('\n')}
      esac ;;
  esac
}
if [[ $funcstack[1] == _druid_gateway ]]; then _druid_gateway "$@"; else compdef _druid_gateway druid-gateway; fi
`;
}

/** In a specification of \`_arguments\` brackets and colons have a meaning. */
function zshText(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, '\\$&');
}

function zshOption(option: OptionReference): string {
  const { long, value, choices, description } = option;
  const what = `[${zshText(description)}]`;
  if (value === null) return `${long}${what}`;
  const action = takesFile(option) ? '_files' : choices.length > 0 ? `(${choices.join(' ')})` : ' ';
  return `${long}=${what}:${zshText(value)}:${action}`;
}

function zshArgument({ name, choices, required }: CommandReference['arguments'][number]): string {
  const action = choices.length > 0 ? `(${choices.join(' ')})` : ' ';
  return `${required ? ':' : '::'}${zshText(name)}:${action}`;
}

function fish(program: ProgramReference): string {
  const names = program.commands.map(({ name }) => name);
  const line = (condition: string, rest: string): string =>
    `complete -c druid-gateway -n ${quoted(condition, "\\'")} ${rest}`;
  const option = (condition: string, reference: OptionReference): string => {
    const { long, short, value, choices, description } = reference;
    const takes = value === null ? '' : takesFile(reference) ? ' -r -F' : ' -x';
    const from = choices.length === 0 ? '' : ` -a ${quoted(choices.join(' '), "\\'")}`;
    const letter = short === null ? '' : ` -s ${short.slice(1)}`;
    return line(condition, `-l ${long.slice(2)}${letter}${takes}${from} -d ${quoted(description, "\\'")}`);
  };
  const lines = [
    '# Completion of druid-gateway for fish. To load it: druid-gateway completion fish | source',
    // Files are offered only where an option takes one.
    'complete -c druid-gateway -f',
    ...program.commands.map(({ name, summary }) =>
      line('__fish_use_subcommand', `-a ${name} -d ${quoted(summary, "\\'")}`),
    ),
    line('__fish_use_subcommand', "-a help -d 'Show the help, or that of a command'"),
    line('__fish_seen_subcommand_from help', `-a ${quoted(names.join(' '), "\\'")}`),
    ...program.options.map((reference) => option('__fish_use_subcommand', reference)),
    ...program.commands.flatMap((command) => {
      const seen = `__fish_seen_subcommand_from ${command.name}`;
      const choices = command.arguments.flatMap((argument) => argument.choices);
      return [
        ...(choices.length === 0 ? [] : [line(seen, `-a ${quoted(choices.join(' '), "\\'")}`)]),
        ...optionsOf(program, command).map((reference) => option(seen, reference)),
      ];
    }),
  ];
  return `${lines.join('\n')}\n`;
}
