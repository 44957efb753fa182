import { Argument } from 'commander';
import { LOG_LEVELS } from '../../config/log-levels.ts';
import { type CliCommand, OK } from '../command.ts';

export const logLevel: CliCommand = {
  name: 'log-level',
  summary: 'Set the level of the log of a running gateway, in all its processes, or show it',
  takesConfiguration: false,
  asksGateway: true,
  examples: [
    { line: 'druid-gateway log-level', what: 'the present one' },
    {
      line: 'druid-gateway log-level debug',
      what: 'until the gateway ends, or a reload brings another `log.level`',
    },
    {
      line: 'druid-gateway log-level info --admin https://gateway-1:9888 --token-file admin-token',
      what: 'another one',
    },
  ],
  declare(declaration) {
    declaration
      .addArgument(new Argument('[LEVEL]', 'the least that is logged').choices(LOG_LEVELS))
      .option('--json', 'print the answer as it is');
  },
  async run(given) {
    const [level] = given.args;
    const [{ adminAddress }, { askAdmin }, { standardScreen }, { plainJson, plainText }, { textIn }] =
      await Promise.all([
        import('../admin/address.ts'),
        import('../admin/client.ts'),
        import('../output/screen.ts'),
        import('../output/plain-text.ts'),
        import('../output/values.ts'),
      ]);
    const { body } = await askAdmin(await adminAddress(given, process.env), {
      path: '/log-level',
      ...(level === undefined ? { method: 'GET' } : { method: 'PUT', body: { level }, acts: true }),
    });
    const screen = standardScreen();
    if (given.options.json === true) screen.print(plainJson(body));
    else if (level === undefined) screen.print(plainText(textIn(body, 'level')));
    else screen.print(`${plainText(textIn(body, 'was'))} -> ${plainText(textIn(body, 'level'))}`);
    return OK;
  },
};
