import { version } from '../../version.ts';
import { type CliCommand, OK } from '../command.ts';

export const man: CliCommand = {
  name: 'man',
  summary: 'Print the man page',
  takesConfiguration: false,
  examples: [{ line: 'druid-gateway man', what: 'to read it: druid-gateway man | man -l -' }],
  async run({ commandLine }) {
    const [{ manPage }, { describeProgram }] = await Promise.all([
      import('../reference/man-page.ts'),
      import('../reference/describe.ts'),
    ]);
    process.stdout.write(manPage(describeProgram(commandLine()), version));
    return OK;
  },
};
