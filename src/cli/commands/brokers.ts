import { Argument } from 'commander';
import { type CliCommand, FAILED, OK, UsageError } from '../command.ts';

const ACTIONS = ['cordon', 'drain', 'return'];
const DRAIN_MS = 60_000;
/** Time for the answer itself, beyond that for the drain, in ms. */
const SLACK_MS = 10_000;

export const brokers: CliCommand = {
  name: 'brokers',
  summary: 'Take a Broker out of its pool (cordon; drain also waits), or put it back (return)',
  takesConfiguration: false,
  asksGateway: true,
  examples: [
    {
      line: 'druid-gateway brokers drain broker-1:8082 --timeout 10m',
      what: 'ends with 0 when it has nothing to do any more, with 1 if it still has after that time',
    },
    { line: 'druid-gateway brokers return broker-1:8082', what: 'it gets queries again' },
    {
      line: 'druid-gateway brokers cordon broker-1:8082 --token-file admin-token',
      what: 'what it is doing goes on; new queries go to others',
    },
  ],
  declare(declaration) {
    declaration
      .addArgument(new Argument('<ACTION>', 'what to do').choices(ACTIONS))
      .argument('<NAME>', 'the HOST:PORT of the Broker, as in `druid-gateway status`')
      .option('--timeout <DURATION>', 'how long to wait for a drain (60s)')
      .option('--json', 'print the answer as it is');
  },
  async run(given) {
    const [action = '', name = ''] = given.args;
    const { timeout, json } = given.options;
    const { parseDuration } = await import('../../config/units.ts');
    const waitMs = timeout === undefined ? DRAIN_MS : parseDuration(String(timeout));
    if (waitMs === null) throw new UsageError('--timeout: expected a duration such as 500ms, 30s or 5m');
    if (timeout !== undefined && action !== 'drain') throw new UsageError('--timeout goes with drain only');
    const [
      { adminAddress },
      { askAdmin },
      { standardScreen },
      { plainJson, plainText },
      { numberIn, textIn },
    ] = await Promise.all([
      import('../admin/address.ts'),
      import('../admin/client.ts'),
      import('../output/screen.ts'),
      import('../output/plain-text.ts'),
      import('../output/values.ts'),
    ]);
    const query = action === 'drain' ? `?timeout=${waitMs}ms` : '';
    const { status, body } = await askAdmin(await adminAddress(given, process.env), {
      method: 'POST',
      acts: true,
      path: `/brokers/${encodeURIComponent(name)}/${action}${query}`,
      timeoutMs: (action === 'drain' ? waitMs : 0) + SLACK_MS,
    });
    const screen = standardScreen();
    const outstanding = numberIn(body, 'outstanding') ?? 0;
    if (json === true) screen.print(plainJson(body));
    else {
      const state = { cordon: 'is cordoned', drain: 'is drained', return: 'is back' }[action] ?? '';
      const busy = status === 202 ? 'is cordoned and not drained yet' : state;
      screen.print(`${plainText(textIn(body, 'node'))} ${busy}; requests under way: ${outstanding}`);
    }
    return status === 202 ? FAILED : OK;
  },
};
