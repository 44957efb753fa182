import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Accounting } from '../../../src/exchange/accounting.ts';
import { failRequest } from '../../../src/exchange/internal-error.ts';
import type { ClientSide } from '../../../src/exchange/ports/client.ts';
import type { ExchangeServices } from '../../../src/exchange/ports/services.ts';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../kit/clients/raw-client.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

let node: FakeUpstream;
let gateway: Harness;

const QUERY = '{"query":"SELECT 1","context":{"sqlQueryId":"q-1"}}';
const ASKED = `POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nContent-Length: ${QUERY.length}\r\n\r\n${QUERY}`;
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n`;
const broken = (): never => {
  throw new Error('on purpose');
};

beforeEach(async () => {
  node = await startUpstream((_, socket) => socket.write(json([])));
});
afterEach(async () => {
  await gateway.close();
  await node.close();
});

async function begin(options: HarnessOptions): Promise<void> {
  gateway = await startHarness(options);
  gateway.cluster.brokers(node.origin);
  gateway.cluster.lead('coordinator', node.origin);
}

const ask = (request: string): Promise<RawAnswer> => exchangeRaw(gateway.port, request);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Nothing is left of any request. */
async function givenBack(): Promise<void> {
  const { cluster, concurrency, waitQueue, runningQueries } = gateway;
  await until(
    () =>
      cluster.node(node.origin).outstanding === 0 &&
      concurrency.under('broker') + concurrency.under('coordinator') === 0 &&
      waitQueue.waiting('broker') + waitQueue.waiting('coordinator') === 0 &&
      runningQueries.size === 0,
  );
}

describe('what throws while a request is', () => {
  const places: readonly [
    name: string,
    request: string,
    deps: (own: ExchangeServices) => Partial<ExchangeServices>,
  ][] = [
    ['routed', ASKED, () => ({ route: broken })],
    ['given a node', ASKED, () => ({ chooseTarget: broken })],
    ['given room', ASKED, ({ concurrency }) => ({ concurrency: { ...concurrency, enter: broken } })],
    ['redirected', ASKED, () => ({ redirectPolicy: broken })],
    ['sent', ASKED, ({ upstreams }) => ({ upstreams: { ...upstreams, send: broken } })],
    ['tracked', ASKED, (own) => ({ runningQueries: { ...own.runningQueries, begin: broken } })],
    ['judged', ASKED, (own) => ({ cluster: Object.assign(Object.create(own.cluster), { report: broken }) })],
    [
      'cancelled',
      'DELETE /druid/v2/sql/q HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n',
      (own) => ({
        upstreams: { ...own.upstreams, send: broken },
      }),
    ],
    ['completed by the gateway', get('/status/properties'), () => ({ chooseTarget: broken })],
  ];

  test.each(places)(
    '%s fails that request with a 500, tells of it, and gives back what it held',
    async (_, request, deps) => {
      let sabotaged = true;
      await begin({
        deps: (own) => {
          const other = { ...own, ...deps(own) };
          const pick = <K extends keyof ExchangeServices>(key: K) => (sabotaged ? other : own)[key];
          return new Proxy(own, { get: (_target, key) => pick(key as keyof ExchangeServices) });
        },
      });
      const answer = await ask(request);
      expect([answer.status, answer.json().errorCode]).toEqual([500, 'internal_error']);
      expect(answer.json().category).toBe('DEFENSIVE');
      expect(answer.body.toString()).not.toContain('on purpose');
      const [record] = await gateway.recorded(1);
      expect([record?.status, record?.reason, record?.id]).toEqual([500, 'internal_error', 'mine']);
      expect(gateway.errors.counts.request).toBe(1);
      expect(gateway.errors.lines[0]).toMatchObject({
        place: 'request',
        id: 'mine',
        error: 'Error: on purpose',
      });
      expect(gateway.errors.lines[0]?.stack).toContain('internal-errors.test.ts');
      await givenBack();
      sabotaged = false;
      expect((await ask(ASKED)).status).toBe(200);
    },
  );

  test('relayed resets it, so that nobody takes what they got for all of it', async () => {
    let sabotaged = true;
    await begin({
      deps: (own) => ({
        ...own,
        runningQueries: {
          ...own.runningQueries,
          end(query) {
            own.runningQueries.end(query);
            if (sabotaged) broken();
          },
        },
      }),
    });
    node.script = (_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n');
      setTimeout(() => socket.write('1\r\n]\r\n0\r\n\r\n'), 50);
    };
    const client = await connectRaw(gateway.port);
    client.send(ASKED);
    expect(['reset', 'end']).toContain(await client.ended());
    expect(client.received().toString()).not.toContain('0\r\n\r\n');
    const [record] = await gateway.recorded(1);
    expect([record?.end, record?.status]).toEqual(['internal_error', 200]);
    await givenBack();
    sabotaged = false;
    node.script = (_, socket) => socket.write(json([]));
    expect((await ask(ASKED)).status).toBe(200);
  });

  test('parked fails it and leaves the others parked', async () => {
    let sabotaged = false;
    await begin({
      deps: (own) => ({
        ...own,
        chooseTarget: (...args) => {
          if (sabotaged && args[0].target.endsWith('/bad')) broken();
          return own.chooseTarget(...args);
        },
      }),
    });
    gateway.cluster.unlead('coordinator');
    const bad = ask(get('/druid/coordinator/v1/bad'));
    const good = ask(get('/druid/coordinator/v1/good'));
    await until(() => gateway.waitQueue.waiting('coordinator') === 2);
    sabotaged = true;
    gateway.cluster.change({});
    expect((await bad).status).toBe(500);
    gateway.cluster.lead('coordinator', node.origin);
    expect((await good).status).toBe(200);
    await givenBack();
  });

  test('overdue fails it: timers are inside the guard', async () => {
    await begin({
      exchange: { totalTimeoutMs: 100 },
      deps: (own) => ({
        ...own,
        retryBudget: own.retryBudget,
        upstreams: { ...own.upstreams, send: sending(own) },
      }),
    });
    node.script = () => {};
    const answer = await ask(ASKED);
    expect([answer.status, answer.json().errorCode]).toEqual([500, 'internal_error']);
    await givenBack();
  });

  test('recorded is told of, and its connection is still of use', async () => {
    let sabotaged = true;
    await begin({ deps: (own) => ({ ...own, sink: (record) => (sabotaged ? broken() : own.sink(record)) }) });
    const client = await connectRaw(gateway.port);
    client.send(ASKED);
    expect((await client.answer()).status).toBe(200);
    await until(() => gateway.errors.total > 0);
    expect(gateway.errors.lines).toMatchObject([{ place: 'request', id: 'mine' }]);
    sabotaged = false;
    client.send(ASKED);
    expect((await client.answer()).status).toBe(200);
    await givenBack();
    client.close();
  });

  /** Sends queries, and throws for the cancel of one that is overdue. */
  function sending({ upstreams }: ExchangeServices): ExchangeServices['upstreams']['send'] {
    return (at, request, handler) =>
      request.method === 'DELETE' ? broken() : upstreams.send(at, request, handler);
  }
});

test('what throws when nothing follows any more is told of, and neither answered nor recorded', () => {
  const errors = recordErrors();
  const untouched = { head: { id: 'mine' }, over: true, begun: false, reset: broken, writeHead: broken };
  failRequest(errors, untouched as unknown as ClientSide, {} as Accounting, new Error('late'));
  expect(errors.lines).toMatchObject([{ place: 'request', id: 'mine', error: 'Error: late' }]);
});

/** The uses of what the exchange works with, counted; the `nth` throws. */
interface Sabotage {
  uses: number;
  nth: number;
}

/** Giving something back cannot be done again: it is done before it throws. */
const GIVES_BACK: ReadonlySet<string> = new Set(['leave', 'end', 'sink']);

function sabotaged(own: ExchangeServices, plan: Sabotage): ExchangeServices {
  type Use = (...values: unknown[]) => unknown;
  const wrap =
    (name: string, use: Use, self: object): Use =>
    (...values) => {
      const throws = ++plan.uses === plan.nth;
      if (throws && !GIVES_BACK.has(name)) throw new Error(`on purpose: ${name}`);
      const result = Reflect.apply(use, self, values);
      if (throws) throw new Error(`on purpose: ${name}`);
      return result;
    };
  const part = <T extends object>(whole: T): T =>
    new Proxy(whole, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? wrap(String(name), value as Use, target) : value;
      },
    });
  const {
    cluster,
    upstreams,
    waitQueue,
    concurrency,
    retryBudget,
    runningQueries,
    jdbcConnections: connections,
  } = own;
  return {
    ...own,
    route: wrap('route', own.route as Use, own) as ExchangeServices['route'],
    chooseTarget: wrap('chooseTarget', own.chooseTarget as Use, own) as ExchangeServices['chooseTarget'],
    sink: wrap('sink', own.sink as Use, own) as ExchangeServices['sink'],
    cluster: part(cluster),
    upstreams: part(upstreams),
    waitQueue: part(waitQueue),
    concurrency: part(concurrency),
    retryBudget: part(retryBudget),
    runningQueries: part(runningQueries),
    jdbcConnections: part(connections),
  };
}

describe('wherever the exchange throws,', () => {
  const scenes: readonly [name: string, request: string][] = [
    ['a query', ASKED],
    ['a read of a master', get('/druid/coordinator/v1/x')],
    ['a cancel', 'DELETE /druid/v2/sql/q-1 HTTP/1.1\r\nHost: a\r\n\r\n'],
    [
      'an upload',
      `POST /druid/coordinator/v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`,
    ],
    ['a page that the gateway completes', get('/druid/router/v1/brokers')],
    ['a refusal', get('/nowhere')],
  ];

  test.each(scenes)('%s ends alone, at each use of what it works with', async (_, request) => {
    const plan: Sabotage = { uses: 0, nth: 0 };
    await begin({ exchange: { totalTimeoutMs: 5_000 }, deps: (own) => sabotaged(own, plan) });
    node.script = ({ method, target }, socket) => {
      if (method === 'DELETE') socket.write(plain('202 Accepted', [], ''));
      else if (target.includes('coordinator')) socket.write(json({ error: 'x' }, '503 Service Unavailable'));
      else socket.write(json({}));
    };
    let thrown = 0;
    do {
      const rounds = gateway.records.length;
      thrown = gateway.errors.total;
      plan.uses = 0;
      plan.nth++;
      const client = await connectRaw(gateway.port);
      client.send(request);
      const answer = await client.answer().catch(() => null);
      client.close();
      expect([200, 202, 404, 500, 503, undefined]).toContain(answer?.status);
      await until(() => gateway.records.length === rounds + 1);
      await givenBack();
    } while (gateway.errors.total > thrown);
    plan.nth = 0;
    expect(gateway.errors.total).toBeGreaterThan(1);
    expect((await ask(get('/druid/v2/datasources'))).status).toBe(200);
  });
});

describe('an answer is given once', () => {
  test('by a parked request whose total time passes before its wait ends', async () => {
    await begin({ exchange: { totalTimeoutMs: 300, maxWaitMs: 900 } });
    gateway.cluster.lead('coordinator', 'http://127.0.0.1:1');
    const client = await connectRaw(gateway.port);
    client.send(
      `GET /druid/coordinator/v1/x HTTP/1.0\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(10_000)}`,
    );
    const answer = await client.answer();
    expect(answer.status).toBe(504);
    expect(gateway.waitQueue.waiting('coordinator')).toBe(0);
    await client.ended();
    await gateway.recorded(1);
    expect(gateway.errors.lines).toEqual([]);
    await givenBack();
  });

  test('by the gateway itself, although the limit of the exchange passes while its client reads', async () => {
    await begin({ exchange: { totalTimeoutMs: 300 } });
    node.script = (_, socket) => socket.write(json({ long: 'x'.repeat(4_000_000) }));
    const client = await connectRaw(gateway.port);
    client.socket.pause();
    client.send(get('/status/properties'));
    await until(() => node.requests.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 600));
    client.socket.resume();
    const answer = await client.answer();
    expect([answer.status, answer.body.length > 4_000_000]).toEqual([200, true]);
    expect(gateway.errors.lines).toEqual([]);
  });
});
