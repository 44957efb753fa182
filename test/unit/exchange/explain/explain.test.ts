import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createExplain, type Explain } from '../../../../src/exchange/explain/explain.ts';
import type { Explanation } from '../../../../src/exchange/explain/explanation.ts';
import type { ExchangeServices } from '../../../../src/exchange/ports/services.ts';
import { blockOf } from '../../../../src/http/header-block.ts';
import { createRedirectPolicy } from '../../../../src/routing/redirect/redirect-policy.ts';
import { createTierSelector } from '../../../../src/routing/tiers/create-tier-selector.ts';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

const HOT = 'druid/broker-hot';
const COLD = 'druid/broker';

let coordinator: FakeUpstream;
let hot: FakeUpstream;
let cold: FakeUpstream;
let gateway: Harness;
let explain: Explain;
/** Answers that nodes owe. */
let owed: (() => void)[];

beforeEach(async () => {
  owed = [];
  const node = (): Promise<FakeUpstream> =>
    startUpstream(({ method, target }, socket) => {
      if (target.endsWith('/slow')) owed.push(() => socket.write(plain('200 OK', [], 'late')));
      else socket.write(plain(method === 'DELETE' ? '404 Not Found' : '200 OK', [], '{}'));
    });
  [coordinator, hot, cold] = await Promise.all([node(), node(), node()]);
});
afterEach(async () => {
  for (const answer of owed) answer();
  await gateway.close();
  await Promise.all([coordinator, hot, cold].map((upstream) => upstream.close()));
});

async function begin(options: HarnessOptions = {}): Promise<void> {
  const tierSelector = createTierSelector({
    tiers: {
      ordered: [
        { tier: 'hot', service: HOT },
        { tier: '_default_tier', service: COLD },
      ],
      defaultService: COLD,
    },
    rules: [
      { match: { header: 'X-Team: ads' }, service: HOT },
      { match: { datasource: 'ads' }, service: HOT },
    ],
    strategies: [{ type: 'manual' }],
    loadRules: null,
    longest: 64 * 1024,
    now: Date.now,
  });
  let services: ExchangeServices | null = null;
  gateway = await startHarness({
    tierSelector,
    ...options,
    exchange: { services: new Set([HOT, COLD]), ...options.exchange },
    deps(own) {
      services = own;
      return own;
    },
  });
  if (services === null) throw new Error('there is no exchange');
  const modes = { coordinator: 'redirect', overlord: 'redirect', broker: 'redirect' } as const;
  explain = createExplain({
    exchange: services,
    inRedirectMode: createRedirectPolicy({ mode: modes, methods: ['GET'], clients: [], addresses: [] }),
    loadRulesAgeMs: () => null,
    encrypted: false,
    now: Date.now,
  });
  gateway.cluster.lead('coordinator', coordinator.origin);
  gateway.cluster.services({ [HOT]: [hot.origin], [COLD]: [cold.origin] });
}

interface Asked {
  readonly method?: string;
  readonly target: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

const lines = ({ headers = [], body = '' }: Asked): string =>
  blockOf(['Host', 'a', ...headers, ...(body === '' ? [] : ['Content-Length', String(body.length)])]);

function explained(asked: Asked): Explanation {
  const { method = 'GET', target, body = '' } = asked;
  return explain({
    method,
    target,
    headers: lines(asked),
    body: Buffer.from(body).toString('base64'),
    client: '127.0.0.1',
  });
}

function sent(asked: Asked): Promise<RawAnswer> {
  const { method = 'GET', target, body = '' } = asked;
  return exchangeRaw(gateway.port, `${method} ${target} HTTP/1.1\r\n${lines(asked)}\r\n${body}`);
}

const everywhere = (): number =>
  [coordinator, hot, cold].reduce((sum, { requests }) => sum + requests.length, 0);

/** Explains a request, sends it, and compares; the explanation itself must have sent nothing. */
async function compared(asked: Asked): Promise<Explanation> {
  const before = everywhere();
  const told = explained(asked);
  expect(everywhere()).toBe(before);
  expect([
    gateway.concurrency.under('broker'),
    gateway.waitQueue.waiting('broker'),
    gateway.cancelLimits.under,
  ]).toEqual([0, 0, 0]);
  const answer = await sent(asked);
  const { status } = answer;
  const { outcome } = told;
  if (outcome.kind === 'relayed') {
    expect(status).toBe(asked.method === 'DELETE' ? 404 : 200);
    const got = [coordinator, hot, cold].filter(({ requests }) =>
      requests.some(({ target }) => target === told.route.target || target.startsWith('/status')),
    );
    expect(got.map(({ hostAndPort }) => hostAndPort).toSorted()).toEqual(outcome.nodes.toSorted());
  } else if (outcome.kind === 'redirected') {
    expect([status, answer.header('location')]).toEqual([307, outcome.location]);
  } else expect(status).toBe(outcome.status);
  return told;
}

const SQL = { method: 'POST', target: '/druid/v2/sql', headers: ['Content-Type', 'application/json'] };

describe('what is said happens', () => {
  beforeEach(() => begin());

  test('a read of the Coordinator goes to its leader', async () => {
    const told = await compared({ target: '/druid/coordinator/v1/servers?simple' });
    expect(told).toMatchObject({
      route: {
        kind: 'forward',
        role: 'coordinator',
        class: 'read',
        target: '/druid/coordinator/v1/servers?simple',
        rule: { by: 'path', matched: '/druid/coordinator' },
      },
      tier: null,
      choice: { by: 'leader', nodes: [coordinator.hostAndPort] },
      redirect: {
        asConfigured: null,
        inRedirectMode: `${coordinator.origin}/druid/coordinator/v1/servers?simple`,
      },
      evidence: { discovery: 'connected', leader: { state: 'serving', knownBy: 'both' } },
    });
  });

  test('a query goes to the service that its context names, and the others are said to be of another one', async () => {
    const told = await compared({
      ...SQL,
      body: `{"query":"SELECT 1","context":{"brokerService":"${HOT}"}}`,
    });
    expect(told).toMatchObject({
      route: { role: 'broker', class: 'query', rule: { matched: '/druid/v2' } },
      tier: { service: HOT, by: 'manual', rule: null, fellBack: false },
      choice: {
        by: 'draw',
        candidates: [
          { node: hot.hostAndPort, service: HOT, refusal: null },
          { node: cold.hostAndPort, service: COLD, refusal: `it is of another service, ${COLD}` },
        ],
      },
    });
  });

  test('the number of the rule that placed a query is told, by header and by body', async () => {
    const byHeader = await compared({
      ...SQL,
      headers: [...SQL.headers, 'X-Team', 'ads'],
      body: '{"query":"x"}',
    });
    expect(byHeader.tier).toMatchObject({ service: HOT, by: 'rule', rule: 1 });
    const body = '{"queryType":"scan","dataSource":"ads","intervals":["2020/2021"]}';
    const byBody = explained({ ...SQL, target: '/druid/v2', body });
    expect(byBody.tier).toMatchObject({ service: HOT, by: 'rule', rule: 2 });
  });

  test('a tier without Brokers falls back', async () => {
    gateway.cluster.services({ [COLD]: [cold.origin] });
    const told = await compared({
      ...SQL,
      body: `{"query":"SELECT 1","context":{"brokerService":"${HOT}"}}`,
    });
    expect(told.tier).toMatchObject({ service: HOT, fellBack: true });
  });

  test.each([
    ['GET', '/druid/indexer/v1/action', 'path_denied', { by: 'denied', matched: '/druid/indexer/v1/action' }],
    ['GET', '/nothing', 'path_unknown', null],
    ['GET', '/proxy/broker/status', 'proxy_destination_unknown', null],
    ['GET', '/druid/v2/..', 'target_malformed', null],
    ['PATCH', '/druid/v2', 'method_not_allowed', null],
  ])('%s %s is refused: %s', async (method, target, reason, rule) => {
    const told = await compared({ method, target });
    expect(told).toMatchObject({ route: { kind: 'refused', role: null, rule }, choice: null });
    expect(told.outcome).toMatchObject({ kind: 'refused', reason, message: expect.any(String) });
  });

  test.each([
    ['GET', '/status/health', 200],
    ['GET', '/druid/broker/v1/readiness', 200],
    ['OPTIONS', '/druid/v2', 204],
  ])('%s %s is answered by the gateway itself', async (method, target, status) => {
    expect((await compared({ method, target })).outcome).toEqual({ kind: 'answered', status });
  });

  test('a preflight goes to the node that serves the path', async () => {
    const told = await compared({
      method: 'OPTIONS',
      target: '/druid/v2/sql',
      headers: ['Origin', 'http://bi.example', 'Access-Control-Request-Method', 'POST'],
    });
    expect(told).toMatchObject({ route: { kind: 'forward', role: 'broker', class: 'read' } });
  });

  test('a page of another site that would change something is refused', async () => {
    const told = await compared({
      method: 'POST',
      target: '/druid/indexer/v1/task',
      headers: ['Origin', 'http://evil.example'],
    });
    expect(told.outcome).toMatchObject({ kind: 'refused', reason: 'cross_site' });
  });

  test('a status page asks a Broker, and a request with two hosts is malformed', async () => {
    const page = await compared({ target: '/status' });
    expect(page).toMatchObject({ route: { kind: 'local', local: 'status', role: 'broker' } });
    expect(page.tier).toBeNull();
    const twice = await compared({ target: '/status/health', headers: ['Host', 'b'] });
    expect(twice.outcome).toMatchObject({ reason: 'request_malformed' });
  });

  test('a cancel goes to all Brokers of the services that get requests', async () => {
    const told = await compared({ method: 'DELETE', target: '/druid/v2/an-id' });
    expect(told).toMatchObject({ route: { class: 'cancel' }, choice: { by: 'cancel' } });
    const nameless = await compared({ method: 'DELETE', target: '/druid/v2/%2e' });
    expect(nameless.outcome).toMatchObject({ reason: 'target_malformed' });
  });

  test('a JDBC connection has its Broker by hash, and where it is known stays there', async () => {
    const jdbc: Asked = {
      method: 'POST',
      target: '/druid/v2/sql/avatica/',
      body: '{"request":"openConnection","connectionId":"c-1"}',
    };
    const first = explained(jdbc);
    expect(first.choice).toMatchObject({ by: 'hash' });
    await sent(jdbc);
    const second = explained(jdbc);
    expect(second.choice).toMatchObject({ by: 'connection', nodes: first.choice?.nodes });
    const [at = ''] = second.choice?.nodes ?? [];
    expect(second.choice?.candidates.filter(({ node }) => node !== at)).toMatchObject([
      { refusal: `the connection is at ${at}` },
    ]);
  });

  test('a page of the console is a read of the Coordinator that is never redirected', () => {
    expect(explained({ target: '/unified-console.html' })).toMatchObject({
      route: {
        kind: 'console',
        role: 'coordinator',
        rule: { by: 'console', matched: '/unified-console.html' },
      },
      redirect: { asConfigured: null, inRedirectMode: null },
      outcome: { kind: 'relayed', nodes: [coordinator.hostAndPort] },
    });
  });
});

test('below a base path requests are asked about as clients send them', async () => {
  await begin({ exchange: { basePath: '/druid-prod' } });
  const told = await compared({ target: '/druid-prod/druid/coordinator/v1/servers' });
  expect(told).toMatchObject({
    request: { path: '/druid-prod/druid/coordinator/v1/servers' },
    route: { target: '/druid/coordinator/v1/servers', rule: { matched: '/druid/coordinator' } },
    redirect: { inRedirectMode: `${coordinator.origin}/druid/coordinator/v1/servers` },
  });
  expect(await compared({ target: '/druid-prod/unified-console.html' })).toMatchObject({
    route: { kind: 'console', target: '/unified-console.html' },
  });
  expect(await compared({ target: '/druid-prod?x' })).toMatchObject({
    route: { kind: 'local', local: 'base-path' },
    outcome: { kind: 'answered', status: 302 },
  });
  expect(await compared({ target: '/druid/coordinator/v1/servers' })).toMatchObject({
    outcome: { kind: 'refused', reason: 'path_outside_base' },
  });
});

test('a body that is too long to be kept places nothing', async () => {
  await begin({ exchange: { bufferBodyBytes: 1_024 } });
  const body = (length: number): string =>
    `{"queryType":"scan","dataSource":"ads","x":"${'x'.repeat(length)}"}`;
  expect((await compared({ ...SQL, target: '/druid/v2', body: body(10) })).tier).toMatchObject({
    by: 'rule',
  });
  const told = explained({ ...SQL, target: '/druid/v2', body: body(2_000) });
  expect(told).toMatchObject({ tier: { by: 'default' }, choice: { nodes: [cold.hostAndPort] } });
});

test('whatever is asked is explained, and nothing is sent or taken', async () => {
  await begin();
  const paths = [
    '/',
    '/druid/v2/',
    '/druid/v2/sql/avatica',
    '/druid/coordinator/v1',
    '/proxy/overlord',
    '/status',
  ];
  const target = fc.oneof(
    fc.string(),
    fc.tuple(fc.constantFrom(...paths), fc.string({ unit: 'binary' })).map((parts) => parts.join('')),
  );
  const method = fc.oneof(fc.constantFrom('GET', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PUT'), fc.string());
  const name = fc.constantFrom(
    'Origin',
    'X-Forwarded-For',
    'Request',
    'Content-Length',
    'Authorization',
    'X-Team',
  );
  const headers = fc.array(fc.tuple(name, fc.stringMatching(/^[\x20-\x7e]*$/)));
  fc.assert(
    fc.property(method, target, headers, fc.json(), (method, target, headers, body) => {
      const block = blockOf(['Host', 'a', ...headers.flat()]);
      const content = Buffer.from(body).toString('base64');
      const told = explain({ method, target, headers: block, body: content, client: '10.0.0.1' });
      expect(['relayed', 'redirected', 'answered', 'waits', 'refused']).toContain(told.outcome.kind);
      expect(JSON.parse(JSON.stringify(told))).toEqual(told);
    }),
  );
  expect(everywhere()).toBe(0);
  expect([gateway.cancelLimits.under, gateway.waitQueue.waiting('broker'), gateway.records.length]).toEqual([
    0, 0, 0,
  ]);
});

describe('a request that waits', () => {
  test('is told why, for how long, and what it ends in', async () => {
    await begin({ exchange: { maxWaitMs: 30 } });
    gateway.cluster.unlead('coordinator', 'leader_unreachable');
    const told = await compared({ target: '/druid/coordinator/v1/servers' });
    expect(told).toMatchObject({
      outcome: { kind: 'waits', reason: 'leader_unreachable', status: 503, longestMs: 30 },
      choice: { nodes: [] },
      evidence: { leader: { state: 'none' } },
    });
  });

  test('is refused where none may wait', async () => {
    await begin({ maxParked: 0 });
    gateway.cluster.unlead('coordinator');
    const told = await compared({ target: '/druid/coordinator/v1/servers' });
    expect(told.outcome).toMatchObject({ kind: 'refused', reason: 'parking_full' });
    gateway.cluster.services({});
    const query = await compared({ ...SQL, body: '{"query":"SELECT 1"}' });
    expect(query.outcome).toMatchObject({ reason: 'parking_full' });
  });

  test('a Broker that is not in the pool is refused with the words that the view has', async () => {
    await begin();
    const [, broker] = gateway.cluster.view.brokers;
    if (broker === undefined) throw new Error('there is no Broker');
    gateway.cluster.change({
      brokers: [{ ...broker, ready: false, cordoned: true, why: 'an operator took it out' }],
      pools: new Map(),
    });
    const told = explained({ ...SQL, body: '{}' });
    expect(told.outcome).toMatchObject({ kind: 'waits', reason: 'no_ready_broker' });
    expect(told.choice?.candidates).toMatchObject([{ refusal: 'an operator took it out' }]);
  });
});

describe('limits of today', () => {
  const slow: Asked = { target: '/druid/coordinator/v1/slow' };
  const read: Asked = { target: '/druid/coordinator/v1/servers' };

  async function hold(): Promise<void> {
    const client = await connectRaw(gateway.port);
    client.send(`GET ${slow.target} HTTP/1.1\r\n${lines(slow)}\r\n`);
    while (owed.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  test('a role that is full has requests wait for room', async () => {
    await begin({ concurrency: { roles: { coordinator: 1, overlord: 0, broker: 0 } } });
    expect(explained(read).outcome).toMatchObject({ kind: 'relayed' });
    await hold();
    expect(explained(read)).toMatchObject({
      limits: { place: 'waits', running: 1, queued: 0 },
      outcome: { kind: 'waits', reason: 'overloaded', longestMs: 1_000 },
    });
  });

  test('a client that has as many as it may is refused', async () => {
    await begin({ concurrency: { perClient: 1 } });
    await hold();
    const told = explained(read);
    expect(told.outcome).toMatchObject({ kind: 'refused', reason: 'too_many_requests', status: 429 });
    expect((await sent(read)).status).toBe(429);
  });

  test('a node that has as many as it may is no candidate', async () => {
    await begin({ exchange: { maxPerNode: 1 } });
    await hold();
    expect(explained(read)).toMatchObject({
      outcome: { kind: 'waits', reason: 'overloaded' },
      choice: { candidates: [{ outstanding: 1, refusal: 'it has 1 requests, of at most 1' }] },
    });
  });

  test('an event loop that is late refuses whatever is forwarded', async () => {
    await begin();
    gateway.pressure.high = true;
    expect((await compared(read)).outcome).toMatchObject({ kind: 'refused', reason: 'overloaded' });
    expect((await compared({ target: '/status' })).outcome).toMatchObject({ kind: 'relayed' });
    expect((await compared({ target: '/status/health' })).outcome).toMatchObject({ kind: 'answered' });
  });
});

test('a client that is redirected is told where to, and the limits do not matter', async () => {
  const redirectPolicy = createRedirectPolicy({
    mode: { coordinator: 'redirect', overlord: 'relay', broker: 'relay' },
    methods: ['GET'],
    clients: [],
    addresses: [{ from: '*', to: 'https://druid.example:8443' }],
  });
  await begin({ redirectPolicy });
  const told = await compared({ target: '/druid/coordinator/v1/servers?simple' });
  expect(told).toMatchObject({
    outcome: {
      kind: 'redirected',
      location: 'https://druid.example:8443/druid/coordinator/v1/servers?simple',
    },
  });
  expect(
    (await compared({ method: 'POST', target: '/druid/coordinator/v1/lookups/config' })).outcome,
  ).toMatchObject({
    kind: 'relayed',
  });
});
