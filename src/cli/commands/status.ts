import { type CliCommand, OK } from '../command.ts';

/** Interval between looks with `--watch`, in ms. */
const WATCH_MS = 1_000;
/** Moves the cursor to the upper left and clears what is below. */
const CLEAR = '\x1b[H\x1b[J';

export const status: CliCommand = {
  name: 'status',
  summary: 'Show leaders and Brokers of a running gateway',
  takesConfiguration: false,
  asksGateway: true,
  examples: [
    { line: 'druid-gateway status', what: 'of the gateway on this machine' },
    {
      line: 'druid-gateway status --watch --admin http://gateway-1:9888',
      what: 'every second, until Ctrl-C',
    },
    { line: 'druid-gateway status --json --config gateway.yaml', what: 'as GET /status answers' },
  ],
  declare(declaration) {
    declaration
      .option('--watch', 'show it again every second')
      .option('--json', 'print the answer as it is, one line each time');
  },
  async run(given) {
    const [{ adminAddress }, { askAdmin }, { standardScreen }, { plainJson }, { renderStatus }, { valueIn }] =
      await Promise.all([
        import('../admin/address.ts'),
        import('../admin/client.ts'),
        import('../output/screen.ts'),
        import('../output/plain-text.ts'),
        import('../render/status.ts'),
        import('../output/values.ts'),
      ]);
    const { setTimeout: sleep } = await import('node:timers/promises');
    const address = await adminAddress(given, process.env);
    const { json, watch } = given.options;

    async function look(): Promise<string> {
      const { body } = await askAdmin(address, { method: 'GET', path: '/status' });
      // Where clients ask, and at a node, this path is Druid's.
      if (valueIn(body, 'leaders') === undefined) {
        throw new Error(`${address.origin} is no admin listener of a gateway; --admin URL names it`);
      }
      return json === true ? plainJson(body) : renderStatus(body, address.origin, standardScreen());
    }

    if (watch !== true) {
      standardScreen().print(await look());
      return OK;
    }
    // Whoever read the output has seen enough.
    process.stdout.on('error', () => process.exit(OK));
    for (;;) {
      const screen = standardScreen();
      const clear = screen.isTerminal && json !== true ? CLEAR : '';
      // A gateway that is being restarted is worth watching, too.
      await look().then(
        (text) => screen.print(clear + text),
        (error: Error) => process.stderr.write(`${clear}druid-gateway: ${error.message}\n`),
      );
      await sleep(WATCH_MS);
    }
  },
};
