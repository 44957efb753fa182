import { version as number } from '../../version.ts';
import { type CliCommand, OK } from '../command.ts';

export const version: CliCommand = {
  name: 'version',
  summary: 'Print the version',
  takesConfiguration: false,
  examples: [{ line: 'druid-gateway version', what: 'as --version does' }],
  async run() {
    process.stdout.write(`${number}\n`);
    return OK;
  },
};
