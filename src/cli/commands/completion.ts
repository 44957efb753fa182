import { Argument } from 'commander';
import { type CliCommand, OK } from '../command.ts';
import { SHELLS } from '../reference/shells.ts';

export const completion: CliCommand = {
  name: 'completion',
  summary: 'Print the completion script of a shell',
  takesConfiguration: false,
  examples: [
    { line: 'druid-gateway completion bash', what: 'in ~/.bashrc: source <(druid-gateway completion bash)' },
    { line: 'druid-gateway completion fish', what: 'in config.fish: druid-gateway completion fish | source' },
  ],
  declare(declaration) {
    declaration.addArgument(new Argument('<SHELL>', 'bash, zsh or fish').choices([...SHELLS]));
  },
  async run({ args, commandLine }) {
    const [{ completionScript }, { describeProgram }] = await Promise.all([
      import('../reference/completion.ts'),
      import('../reference/describe.ts'),
    ]);
    const shell = SHELLS.find((known) => known === args[0]) ?? 'bash';
    process.stdout.write(completionScript(shell, describeProgram(commandLine())));
    return OK;
  },
};
