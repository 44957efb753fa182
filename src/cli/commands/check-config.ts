import type { Config } from '../../config/schema.ts';
import { type CliCommand, OK } from '../command.ts';

export const checkConfig: CliCommand = {
  name: 'check-config',
  summary: 'Say whether the configuration is right, and what it comes to',
  takesConfiguration: true,
  examples: [
    {
      line: 'druid-gateway check-config --config gateway.yaml',
      what: 'ends with 2 where something is wrong',
    },
    {
      line: 'druid-gateway check-config --print --config gateway.yaml',
      what: 'every key with its value, defaults included',
    },
  ],
  declare(declaration) {
    declaration.option('--print', 'print the whole configuration, without secrets');
  },
  async run({ sources, options }) {
    const { loadConfig } = await import('../../config/load.ts');
    const config = loadConfig({ ...sources, environment: process.env });
    process.stdout.write(options.print === true ? await printed(config) : 'The configuration is valid.\n');
    const { dangerousSettings } = await import('../../config/dangerous-settings.ts');
    for (const { sentence } of dangerousSettings(config)) {
      process.stderr.write(`druid-gateway: warning: ${sentence}\n`);
    }
    return OK;
  },
};

async function printed(config: Config): Promise<string> {
  const [{ stringify }, { redact }] = await Promise.all([import('yaml'), import('../../config/redact.ts')]);
  return stringify(redact(config));
}
