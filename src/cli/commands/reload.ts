import { type CliCommand, FAILED, OK } from '../command.ts';

/** Longest time until workers have taken up the configuration, another attempt before it included, in ms. */
const TIMEOUT_MS = 30_000;
/** The status of a configuration that is refused. */
const REFUSED = 422;

export const reload: CliCommand = {
  name: 'reload',
  summary: 'Have a running gateway read its configuration again',
  takesConfiguration: false,
  asksGateway: true,
  examples: [
    {
      line: 'druid-gateway reload',
      what: 'ends with 1 and all problems where the configuration is refused; the former one is then still in use',
    },
    {
      line: 'druid-gateway reload --admin https://gateway-1:9888 --token-file admin-token',
      what: 'another one',
    },
  ],
  declare(declaration) {
    declaration.option('--json', 'print the answer as it is');
  },
  async run(given) {
    const [{ adminAddress }, { askAdmin }, { standardScreen }, { plainJson, plainText }, { listIn }] =
      await Promise.all([
        import('../admin/address.ts'),
        import('../admin/client.ts'),
        import('../output/screen.ts'),
        import('../output/plain-text.ts'),
        import('../output/values.ts'),
      ]);
    const { status, body } = await askAdmin(await adminAddress(given, process.env), {
      method: 'POST',
      path: '/reload',
      accepts: [REFUSED],
      timeoutMs: TIMEOUT_MS,
    });
    const screen = standardScreen();
    const texts = (key: string): string[] => listIn(body, key).map((text) => plainText(String(text)));
    if (given.options.json === true) screen.print(plainJson(body));
    else if (status === REFUSED) {
      for (const problem of texts('problems')) process.stderr.write(`druid-gateway: ${problem}\n`);
    } else {
      const [changed, needsRestart] = [texts('changed'), texts('needsRestart')];
      screen.print(changed.length === 0 ? 'Nothing has changed.' : `Changed: ${changed.join(', ')}`);
      if (needsRestart.length > 0) screen.print(`Needs a restart: ${needsRestart.join(', ')}`);
    }
    return status === REFUSED ? FAILED : OK;
  },
};
