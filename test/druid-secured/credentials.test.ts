import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Asked,
  ask,
  authorization,
  type Credentials,
  gatewayForSecured,
  securedCluster,
  type Verdict,
  verdict,
} from '../kit/druid/secured.ts';
import { ADMIN } from '../kit/druid/secured-setup.ts';
import type { RunningGateway } from '../kit/gateway/gateway-process.ts';

let gateway: RunningGateway;
/** Origins by role; one process is both masters. */
let origins: Readonly<Record<'coordinator' | 'broker', string>>;

beforeAll(async () => {
  const { nodes } = await securedCluster();
  const origin = (role: string): string =>
    `http://127.0.0.1:${nodes.find((node) => node.role === role)?.port}`;
  origins = { coordinator: origin('coordinator'), broker: origin('broker') };
  gateway = await gatewayForSecured();
});
afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
});

const WRONG: Credentials = { user: ADMIN.user, password: 'wr0ng-s3cret' };
const STRANGER: Credentials = { user: 'nobody', password: 'n0body-s3cret' };
const SQL = { query: 'SELECT 1 AS x' };
const NATIVE = { queryType: 'timeBoundary', dataSource: 'no_rows' };
/** By what of a 200 its answers are compared: all of it, unless something in it is never twice the same. */
const whole = (body: string): unknown => body;
const keys = (body: string): unknown => Object.keys(JSON.parse(body)).toSorted();
const page = (body: string): unknown => body.includes('<title>Apache Druid</title>');

const DOORS: readonly {
  readonly path: string;
  readonly of: keyof typeof origins;
  /** Where the node has it, unless at the same path. */
  readonly there?: string;
  readonly body?: object;
  readonly by?: (body: string) => unknown;
}[] = [
  { path: '/druid/v2/sql', of: 'broker', body: SQL },
  { path: '/druid/v2', of: 'broker', body: NATIVE },
  { path: '/druid/v2/datasources', of: 'broker' },
  { path: '/druid/coordinator/v1/datasources', of: 'coordinator' },
  { path: '/druid/indexer/v1/workers', of: 'coordinator', by: (body) => JSON.parse(body).length },
  { path: '/druid-ext/basic-security/authentication/db/basic/users', of: 'coordinator' },
  { path: '/proxy/coordinator/status', there: '/status', of: 'coordinator', by: keys },
  {
    path: '/proxy/overlord/druid/indexer/v1/totalWorkerCapacity',
    there: '/druid/indexer/v1/totalWorkerCapacity',
    of: 'coordinator',
  },
  { path: '/status', of: 'broker', by: keys },
  // The gateway adds a property for the console.
  { path: '/status/properties', of: 'broker', by: (body) => JSON.parse(body)['druid.auth.authorizers'] },
  { path: '/unified-console.html', of: 'coordinator', by: page },
];

describe.each(DOORS)('$path', ({ path, there = path, of, body, by = whole }) => {
  async function both(asked: Asked): Promise<{ through: Verdict; direct: Verdict }> {
    const request = body === undefined ? asked : { ...asked, body };
    const through = await verdict(await ask(gateway.url + path, request));
    return { through, direct: await verdict(await ask(origins[of] + there, request)) };
  }

  test('lets the right password in', async () => {
    const { through, direct } = await both({});
    expect(through.status).toBe(200);
    expect({ ...through, body: by(through.body) }).toEqual({ ...direct, body: by(direct.body) });
  });

  test.each([
    ['a wrong password', WRONG],
    ['an unknown user', STRANGER],
    ['no credentials', null],
  ] as const)("answers %s with the node's own 401", async (_, as) => {
    const { through, direct } = await both({ as });
    expect(through.status).toBe(401);
    expect(through).toEqual(direct);
    if (as === null) expect(through.challenges).toBe('Basic');
  });
});

test("the list of Brokers is for those who may read a Broker's state", async () => {
  const path = '/druid/router/v1/brokers';
  const { brokers } = await gateway.status();
  const listed = (await (await ask(gateway.url + path)).json()) as Record<string, string[]>;
  expect(listed['druid/broker']?.toSorted()).toEqual(brokers.map(({ node }) => node).toSorted());
  const missing = await ask(gateway.url + path, { as: null });
  expect([missing.status, missing.headers.get('www-authenticate')]).toEqual([401, 'Basic']);
  expect((await ask(gateway.url + path, { as: WRONG })).status).toBe(401);
});

test.each(['/status/health', '/status/ready', '/proxy/enabled'])('%s is open to all', async (path) => {
  expect((await ask(gateway.url + path, { as: null })).status).toBe(200);
});

test('no credentials are in the log, the status or the metrics', async () => {
  await ask(`${gateway.url}/druid/v2/sql?user=x`, { body: SQL });
  const shown = [gateway.log()];
  for (const path of ['/status', '/metrics']) shown.push(await (await fetch(gateway.admin + path)).text());
  // Otherwise nothing is proved.
  expect(shown[0]).toContain('/druid/v2/sql');
  for (const text of shown) {
    for (const credentials of [ADMIN, WRONG, STRANGER]) {
      expect(text).not.toContain(credentials.password);
      expect(text).not.toContain(authorization(credentials).authorization?.slice('Basic '.length));
    }
    // As the name of a header that `cors` allows it is in the configuration, which the status shows.
    expect(text.replace('["Authorization","Content-Type"]', '').toLowerCase()).not.toContain('authorization');
  }
});
