import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addBroker, gatewayForDruid, nodes, remove } from '../kit/druid/druid.ts';
import type { NodeInfo } from '../kit/druid/druid-setup.ts';
import type { RunningGateway } from '../kit/gateway/gateway-process.ts';

const HOT = 'druid/broker-hot';
const COLD = 'druid/broker';

let gateway: RunningGateway;
let hot: NodeInfo;
let colds: string[];

beforeAll(async () => {
  hot = await addBroker(HOT);
  const all = await nodes();
  colds = all.filter(({ role, name }) => role === 'broker' && name !== hot.name).map(at);
  gateway = await gatewayForDruid('--config', 'test/druid/tiers.yaml');
  await gateway.until(({ brokers, leaders }) => {
    const ready = brokers.filter((broker) => broker.ready).length;
    return ready === colds.length + 1 && leaders.coordinator.state === 'serving';
  });
  while ((await gateway.metric('druid_gateway_load_rules_age_seconds')) < 0) await pause();
});

afterAll(async () => {
  if ((await nodes()).some(({ name }) => name === hot.name)) await remove(hot.name);
  // Its announcement ends with its session; other tests count the Brokers that are announced.
  await gateway.until(({ brokers }) => brokers.every(({ node }) => node !== at(hot)));
  expect(await gateway.stop()).toBe(0);
});

const at = ({ port }: { port: number }): string => `127.0.0.1:${port}`;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

interface Placed {
  readonly status: number;
  readonly text: string;
  readonly upstream: string;
  readonly chosenBy: string;
  readonly fellBack: boolean;
}

/** Posts a query and says what the access log has of it. */
async function post(
  path: string,
  body: object | string,
  headers: Record<string, string> = {},
): Promise<Placed> {
  const id = crypto.randomUUID();
  const response = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': id, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  for (;;) {
    const line = gateway
      .log()
      .split('\n')
      .find((candidate) => candidate.includes(`"id":"${id}"`) && candidate.endsWith('}'));
    if (line !== undefined) {
      const { upstream, chosenBy, fellBack = false } = JSON.parse(line) as Omit<Placed, 'status' | 'text'>;
      return { status: response.status, text, upstream, chosenBy, fellBack };
    }
    await pause();
  }
}

const native = (others: object = {}): object => ({
  queryType: 'timeseries',
  dataSource: 'nowhere',
  granularity: 'all',
  intervals: ['2024-01-01/2025-01-01'],
  aggregations: [{ type: 'count', name: 'n' }],
  ...others,
});

describe('a Broker of another druid.service', () => {
  test('gets the queries that name it, SQL and native, and no others', async () => {
    const context = { brokerService: HOT };
    const named = await post('/druid/v2/sql', { query: 'SELECT 1 AS x', context });
    expect(named).toMatchObject({ status: 200, text: '[{"x":1}]\n', upstream: at(hot), chosenBy: 'manual' });
    expect(await post('/druid/v2', native({ context }))).toMatchObject({
      status: 200,
      upstream: at(hot),
      chosenBy: 'manual',
    });
    for (let i = 0; i < 10; i++) {
      const other = await post('/druid/v2/sql', { query: 'SELECT 1 AS x' });
      expect(other).toMatchObject({ status: 200, chosenBy: 'default' });
      expect(colds).toContain(other.upstream);
    }
  });

  test('gets what a rule of the gateway gives it', async () => {
    const sent = await post('/druid/v2/sql', { query: 'SELECT 1 AS x' }, { 'x-team': 'bi' });
    expect(sent).toMatchObject({ status: 200, upstream: at(hot), chosenBy: 'rule 1' });
    const others = await post('/druid/v2/sql', { query: 'SELECT 1 AS x' }, { 'x-team': 'hr' });
    expect(colds).toContain(others.upstream);
  });

  test('gets timeBoundary queries and urgent ones, as the first tier', async () => {
    const boundary = { queryType: 'timeBoundary', dataSource: 'nowhere' };
    expect(await post('/druid/v2', boundary)).toMatchObject({ upstream: at(hot), chosenBy: 'timeBoundary' });
    const urgent = native({ context: { priority: 5 } });
    expect(await post('/druid/v2', urgent)).toMatchObject({ upstream: at(hot), chosenBy: 'priority' });
    const patient = await post('/druid/v2', native({ context: { priority: -5 } }));
    expect(patient.chosenBy).toBe('priority');
    expect(colds).toContain(patient.upstream);
  });

  test("gets the data that the Coordinator's rules load into its tier", async () => {
    const byDefault = await post('/druid/v2', native());
    expect(byDefault.chosenBy).toBe('loadRules');
    expect(colds).toContain(byDefault.upstream);
    const rules = [{ type: 'loadByPeriod', period: 'P1M', tieredReplicants: { hot: 1 } }];
    const set = await fetch(`${gateway.url}/druid/coordinator/v1/rules/nowhere`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(rules),
    });
    expect(set.status).toBe(200);
    const recent = native({ intervals: [`${new Date(Date.now() - 86_400_000).toISOString()}/P1D`] });
    let placed = await post('/druid/v2', recent);
    while (placed.upstream !== at(hot)) placed = await post('/druid/v2', recent);
    expect(placed).toMatchObject({ status: 200, chosenBy: 'loadRules' });
    expect(colds).toContain((await post('/druid/v2', native())).upstream);
  });

  test('is listed with the others, and gets whole numbers beyond 53 bits as they were sent', async () => {
    const list = (await (await fetch(`${gateway.url}/druid/router/v1/brokers`)).json()) as Record<
      string,
      string[]
    >;
    expect(list[HOT]).toEqual([at(hot)]);
    expect(list[COLD]?.toSorted()).toEqual(colds.toSorted());
    const body =
      '{"query":"SELECT CAST(? AS BIGINT) AS x","parameters":[{"type":"BIGINT","value":9007199254740993}],' +
      `"context":{"brokerService":"${HOT}"}}`;
    const sent = await post('/druid/v2/sql', body);
    expect(sent).toMatchObject({ status: 200, text: '[{"x":9007199254740993}]\n', upstream: at(hot) });
  });

  test('that is gone is stood in for by the default service', async () => {
    await remove(hot.name);
    await gateway.until(({ brokers }) => brokers.every(({ node, ready }) => node !== at(hot) || !ready));
    for (const path of ['/druid/v2/sql', '/druid/v2']) {
      const body = { ...native({ context: { brokerService: HOT } }), query: 'SELECT 1 AS x' };
      const placed = await post(path, body);
      expect(placed).toMatchObject({ status: 200, chosenBy: 'manual', fellBack: true });
      expect(colds).toContain(placed.upstream);
    }
    const stoodIn = `druid_gateway_placed_requests_total{service="${HOT}",by="manual",fallback="true"}`;
    expect(await gateway.metric(stoodIn)).toBeGreaterThanOrEqual(2);
  });
});
