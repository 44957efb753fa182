import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rendezvous } from '../../../../src/routing/jdbc/rendezvous.ts';
import {
  createTierSelector,
  type TierSelectorOptions,
} from '../../../../src/routing/tiers/create-tier-selector.ts';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

const HOT = 'druid/broker-hot';
const COLD = 'druid/broker';
const SERVICES = new Set([HOT, COLD]);

let hot: FakeUpstream;
let cold: FakeUpstream;
/** Of a service outside the map. */
let stranger: FakeUpstream;
let gateway: Harness;
/** What those that are not well answer with. */
let statuses: Record<string, string>;

beforeEach(async () => {
  statuses = {};
  const named = (name: string): Promise<FakeUpstream> =>
    startUpstream((_, socket) => void socket.write(plain(statuses[name] ?? '200 OK', [], name)));
  [hot, cold, stranger] = await Promise.all([named('hot'), named('cold'), named('stranger')]);
});

afterEach(async () => {
  await gateway.close();
  await Promise.all([hot, cold, stranger].map((upstream) => upstream.close()));
});

async function begin(
  placing: Partial<TierSelectorOptions> = {},
  options: HarnessOptions = {},
): Promise<void> {
  const tierSelector = createTierSelector({
    tiers: {
      ordered: [
        { tier: 'hot', service: HOT },
        { tier: '_default_tier', service: COLD },
      ],
      defaultService: COLD,
    },
    rules: [],
    strategies: [{ type: 'manual' }],
    loadRules: null,
    longest: 64 * 1024,
    now: Date.now,
    ...placing,
  });
  gateway = await startHarness({
    ...options,
    tierSelector,
    exchange: { services: SERVICES, ...options.exchange },
  });
  all();
}

function all(): void {
  gateway.cluster.services({
    [HOT]: [hot.origin],
    [COLD]: [cold.origin],
    'druid/other': [stranger.origin],
  });
}

function post(body: Buffer | string, target = '/druid/v2/sql', lines = ''): Promise<RawAnswer> {
  const content = Buffer.from(body);
  const head = `POST ${target} HTTP/1.1\r\nHost: a\r\n${lines}Content-Length: ${content.length}\r\n\r\n`;
  return exchangeRaw(gateway.port, Buffer.concat([Buffer.from(head), content]));
}
const toHot = (others = ''): string => `{"query":"SELECT 1"${others},"context":{"brokerService":"${HOT}"}}`;
const answered = async (answer: Promise<RawAnswer>): Promise<string> => (await answer).body.toString();

describe('a query', () => {
  test('goes to the service that its context names, native and SQL, and is accounted for', async () => {
    await begin();
    expect(await answered(post(toHot()))).toBe('hot');
    expect(await answered(post(toHot(), '/druid/v2'))).toBe('hot');
    expect(await answered(post('{"query":"SELECT 1"}'))).toBe('cold');
    expect((await gateway.recorded(3)).map(({ placement }) => placement)).toEqual([
      { service: HOT, by: 'manual', rule: null, fellBack: false },
      { service: HOT, by: 'manual', rule: null, fellBack: false },
      { service: COLD, by: 'default', rule: null, fellBack: false },
    ]);
  });

  test('arrives byte for byte, with whole numbers beyond 53 bits, blanks and doubled keys', async () => {
    await begin();
    const body = Buffer.from(
      `{ "query" : "SELECT 'ä'",\r\n\t"limit":9223372036854775807, "x": 1.00, "x": 1e400, ` +
        `"context":{"brokerService":"${HOT}","n":18446744073709551615} }\n\n`,
    );
    expect(await answered(post(body))).toBe('hot');
    expect(hot.requests[0]?.body).toEqual(body);
    const zipped = gzipSync(body);
    expect(await answered(post(zipped, '/druid/v2', 'Content-Encoding: gzip\r\n'))).toBe('hot');
    expect(hot.requests[1]?.body).toEqual(zipped);
    expect(hot.requests[1]?.header('content-encoding')).toBe('gzip');
  });

  test('in chunks is read as others are, and passes as it is', async () => {
    await begin();
    const whole = toHot();
    const chunked =
      'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n' +
      `${whole.length.toString(16)}\r\n${whole}\r\n0\r\n\r\n`;
    expect(await answered(exchangeRaw(gateway.port, chunked))).toBe('hot');
    expect(hot.requests[0]?.body.toString()).toBe(whole);
  });

  test('that is not read passes to the default service as it is: too large, Smile', async () => {
    await begin();
    const large = toHot(`,"pad":"${'x'.repeat(70_000)}"`);
    expect(await answered(post(large))).toBe('cold');
    expect(cold.requests[0]?.body.toString()).toBe(large);
    const smile = Buffer.from([0x3a, 0x29, 0x0a, 0x01, 0xfa, 0x80, 0xfb]);
    const type = 'Content-Type: application/x-jackson-smile\r\n';
    expect(await answered(post(smile, '/druid/v2', type))).toBe('cold');
    expect(cold.requests[1]?.body).toEqual(smile);
  });

  test('whose client waits for 100 Continue is read first', async () => {
    await begin();
    const client = await connectRaw(gateway.port);
    const body = toHot();
    client.send(
      `POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    while (!client.received().toString().startsWith('HTTP/1.1 100')) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    client.send(body);
    expect((await client.answer()).body.toString()).toBe('hot');
    client.close();
  });

  test('falls back to the default service while nobody of its own is there, and says so', async () => {
    await begin();
    gateway.cluster.services({ [COLD]: [cold.origin], 'druid/other': [stranger.origin] });
    expect(await answered(post(toHot()))).toBe('cold');
    expect((await gateway.recorded(1))[0]?.placement).toEqual({
      service: HOT,
      by: 'manual',
      rule: null,
      fellBack: true,
    });
    all();
    expect(await answered(post(toHot()))).toBe('hot');
  });

  test('does so also when the last one of its own refuses it', async () => {
    await begin();
    await hot.close();
    gateway.cluster.onReport = (node, outcome) => {
      gateway.cluster.onReport = () => {};
      expect([node.hostAndPort, outcome]).toEqual([hot.hostAndPort, 'connect_failed']);
      gateway.cluster.services({ [COLD]: [cold.origin] });
    };
    expect(await answered(post(toHot()))).toBe('cold');
  });

  test('waits while nobody is there at all, and goes to its own service when that comes first', async () => {
    await begin();
    gateway.cluster.services({ 'druid/other': [stranger.origin] });
    const waiting = answered(post(toHot()));
    while (gateway.waitQueue.waiting('broker') === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    gateway.cluster.services({ [HOT]: [hot.origin] });
    expect(await waiting).toBe('hot');
    gateway.cluster.services({ 'druid/other': [stranger.origin] });
    expect((await post('{}')).status).toBe(503);
    expect(stranger.requests).toEqual([]);
  });
});

test("rules of the gateway's own come first, also for what carries no query", async () => {
  await begin({
    rules: [
      { match: { header: 'X-Team: bi' }, service: HOT },
      { match: { user: 'etl' }, service: COLD },
    ],
  });
  const etl = `Authorization: Basic ${Buffer.from('etl:secret').toString('base64')}\r\n`;
  expect(await answered(post('{}', '/druid/v2/sql', 'X-Team: bi\r\n'))).toBe('hot');
  expect(await answered(post(toHot(), '/druid/v2/sql', etl))).toBe('cold');
  const get = 'GET /druid/v2/datasources HTTP/1.1\r\nHost: a\r\nX-Team: bi\r\n\r\n';
  expect(await answered(exchangeRaw(gateway.port, get))).toBe('hot');
  const records = await gateway.recorded(3);
  expect(records.map(({ placement }) => placement?.rule)).toEqual([1, 2, 1]);
  expect(JSON.stringify(records)).not.toMatch(/secret|etl/);
});

test('only Brokers of the map are listed, and asked to cancel', async () => {
  await begin();
  const list = await exchangeRaw(gateway.port, 'GET /druid/router/v1/brokers HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(list.json()).toEqual({ [HOT]: [hot.hostAndPort], [COLD]: [cold.hostAndPort] });
  for (const upstream of [hot, cold]) {
    upstream.requests.splice(0);
    upstream.script = (_, socket) => void socket.write(plain('404 Not Found', [], ''));
  }
  const cancel = 'DELETE /druid/v2/sql/q HTTP/1.1\r\nHost: a\r\n\r\n';
  expect((await exchangeRaw(gateway.port, cancel)).status).toBe(404);
  expect([hot, cold, stranger].map(({ requests }) => requests.length)).toEqual([1, 1, 0]);
});

describe('JDBC', () => {
  const avatica = (connectionId: string, lines = ''): Promise<string> =>
    answered(post(JSON.stringify({ request: 'fetch', connectionId }), '/druid/v2/sql/avatica/', lines));

  test('connections are placed over the Brokers of all tiers, as the Router does it', async () => {
    await begin();
    const names = new Map([
      [hot.hostAndPort, 'hot'],
      [cold.hostAndPort, 'cold'],
    ]);
    for (let i = 0; i < 12; i++) {
      const id = `connection-${i}`;
      const [first = ''] = rendezvous(id, [...names.keys()]);
      expect(await avatica(id)).toBe(names.get(first));
    }
    expect(stranger.requests).toEqual([]);
  });

  test('a rule confines them to its service, and they stay where they are when it comes back', async () => {
    await begin({ rules: [{ match: { path: '/druid/v2/sql/avatica' }, service: HOT }] });
    for (let i = 0; i < 6; i++) expect(await avatica(`c-${i}`)).toBe('hot');
    gateway.cluster.services({ [COLD]: [cold.origin] });
    expect(await avatica('c-new')).toBe('cold');
    all();
    expect(await avatica('c-new')).toBe('cold');
    expect(await avatica('c-0')).toBe('hot');
  });

  test.each(['401 Unauthorized', '403 Forbidden', '404 Not Found', '500 Internal Server Error'])(
    'a Broker that answers %s has no connection: its owner does not go there',
    async (status) => {
      await begin({ rules: [{ match: { header: 'X-Stranger' }, service: COLD }] });
      const ids = Array.from({ length: 20 }, (_, i) => `owned-${i}`);
      const names = [hot.hostAndPort, cold.hostAndPort];
      const id = ids.find((one) => rendezvous(one, names)[0] === hot.hostAndPort) ?? '';
      statuses.cold = status;
      expect(await avatica(id, 'X-Stranger: 1\r\n')).toBe('cold');
      expect(await avatica(id)).toBe('hot');
      statuses.cold = '200 OK';
      // Where it is known to be, it stays.
      expect(await avatica(id, 'X-Stranger: 1\r\n')).toBe('hot');
    },
  );
});
