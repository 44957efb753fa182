import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NodeInfo } from '../kit/druid/druid-setup.ts';
import {
  ask,
  askWell,
  atEveryBroker,
  type Credentials,
  gatewayForSecured,
  load,
  securedCluster,
  verdict,
} from '../kit/druid/secured.ts';
import { eventually } from '../kit/eventually.ts';
import type { RunningGateway } from '../kit/gateway/gateway-process.ts';

/** May read one of the two tables and the state of the cluster. */
const READER: Credentials = { user: 'reader', password: 'reader-s3cret' };
/** May do nothing. */
const GUEST: Credentials = { user: 'guest', password: 'guest-s3cret' };
const OPEN = 'open_rows';
const CLOSED = 'closed_rows';
const ROWS = [1, 2, 3].map((n) => ({ ts: `2024-01-0${n}T00:00:00Z`, k: `row-${n}`, n }));

let gateway: RunningGateway;
let nodes: readonly NodeInfo[];

beforeAll(async () => {
  ({ nodes } = await securedCluster());
  gateway = await gatewayForSecured();
  await load(gateway.url, OPEN, ROWS);
  await load(gateway.url, CLOSED, ROWS);
  const security = `${gateway.url}/druid-ext/basic-security`;
  const post = (path: string, body?: object): Promise<unknown> =>
    askWell(security + path, { method: 'POST', ...(body === undefined ? {} : { body }) });
  for (const { user, password } of [READER, GUEST]) {
    await post(`/authentication/db/basic/users/${user}`);
    await post(`/authentication/db/basic/users/${user}/credentials`, { password });
    await post(`/authorization/db/basic/users/${user}`);
  }
  await post('/authorization/db/basic/roles/reading');
  await post(`/authorization/db/basic/users/${READER.user}/roles/reading`);
  await post('/authorization/db/basic/roles/reading/permissions', [
    { resource: { name: OPEN, type: 'DATASOURCE' }, action: 'READ' },
    { resource: { name: '.*', type: 'STATE' }, action: 'READ' },
  ]);
  await atEveryBroker(async (origin) => (await sql(origin, OPEN, READER)).status === 200);
  await atEveryBroker(async (origin) => (await sql(origin, OPEN, GUEST)).status === 403);
});
afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
});

const broker = (): string => `http://127.0.0.1:${nodes.find(({ role }) => role === 'broker')?.port}`;

const sql = (origin: string, table: string, as: Credentials): Promise<Response> =>
  ask(`${origin}/druid/v2/sql`, { as, body: { query: `SELECT COUNT(*) c FROM ${table}` } });

const native = (origin: string, dataSource: string, as: Credentials): Promise<Response> =>
  ask(`${origin}/druid/v2`, {
    as,
    body: { queryType: 'timeBoundary', dataSource, bound: 'maxTime', context: { queryId: 'q' } },
  });

describe.each([
  ['SQL', sql],
  ['a native query', native],
] as const)('%s', (_, query) => {
  test('is answered for the table that the user may read', async () => {
    expect((await query(gateway.url, OPEN, READER)).status).toBe(200);
  });

  test("is refused elsewhere in the Broker's own words", async () => {
    const [through, direct] = [
      await verdict(await query(gateway.url, CLOSED, READER)),
      await verdict(await query(broker(), CLOSED, READER)),
    ];
    expect(through.status).toBe(403);
    expect(through).toEqual(direct);
  });
});

test('the user sees only its own table, and may not write, configure or manage users', async () => {
  expect(await askWell(`${gateway.url}/druid/v2/datasources`, { as: READER })).toEqual([OPEN]);
  const status = async (path: string, body?: object): Promise<number> =>
    (await ask(gateway.url + path, { as: READER, ...(body === undefined ? {} : { body }) })).status;
  expect(await status('/status')).toBe(200);
  expect(await status('/druid/router/v1/brokers')).toBe(200);
  expect(await status('/status/properties')).toBe(403);
  expect(await status('/druid/indexer/v1/task', { type: 'noop', dataSource: OPEN })).toBe(403);
  expect(await status('/druid/coordinator/v1/config', { maxSegmentsToMove: 1 })).toBe(403);
  expect(await status('/druid-ext/basic-security/authentication/db/basic/users')).toBe(403);
});

test('who may not read the state is not told of the Brokers', async () => {
  for (const path of ['/druid/router/v1/brokers', '/status', '/proxy/coordinator/status']) {
    expect([path, (await ask(gateway.url + path, { as: GUEST })).status]).toEqual([path, 403]);
  }
});

test("a cancel of somebody else's query is 403, from whatever gateway, and does not stop it", async () => {
  const other = await gatewayForSecured();
  const historical = nodes.find(({ role }) => role === 'historical')?.pid ?? 0;
  // A query of a table waits as long as this one does not answer.
  process.kill(historical, 'SIGSTOP');
  try {
    const sqlQueryId = crypto.randomUUID();
    const running = ask(`${gateway.url}/druid/v2/sql`, {
      body: { query: `SELECT SUM(n) FROM ${CLOSED}`, context: { sqlQueryId } },
    });
    const cancel = async (url: string, as?: Credentials): Promise<number> =>
      (
        await ask(`${url}/druid/v2/sql/${sqlQueryId}`, {
          method: 'DELETE',
          ...(as === undefined ? {} : { as }),
        })
      ).status;
    const early = new Set<number>();
    await eventually(async () => {
      const status = await cancel(gateway.url, READER);
      if (status !== 403) early.add(status);
      return status === 403;
    });
    // Nobody ran it yet.
    expect([[], [404]]).toContainEqual([...early]);
    expect(await cancel(other.url, READER)).toBe(403);
    expect(await cancel(other.url, { ...READER, password: 'wr0ng' })).toBe(401);
    expect(await cancel(other.url)).toBe(202);
    expect((await running).status).toBe(500);
    expect(await cancel(gateway.url)).toBe(404);
  } finally {
    process.kill(historical, 'SIGCONT');
    await other.stop();
  }
});
