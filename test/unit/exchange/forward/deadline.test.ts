import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectRaw, exchangeRaw, type RawAnswer, type RawClient } from '../../../kit/clients/raw-client.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import {
  type FakeUpstream,
  json,
  plain,
  type ReceivedRequest,
  type Script,
  startUpstream,
} from '../../../kit/upstream/fake-upstream.ts';

let broker: FakeUpstream;
let gateway: Harness;
/** What the Broker does with queries; cancels are accepted. */
let onQuery: Script = () => {};

beforeEach(async () => {
  onQuery = () => {};
  broker = await startUpstream((request, socket) => {
    if (request.method === 'DELETE') socket.write(plain('202 Accepted', [], ''));
    else onQuery(request, socket);
  });
});

afterEach(async () => {
  await gateway.close();
  await broker.close();
});

async function begin(options: HarnessOptions = {}): Promise<void> {
  gateway = await startHarness(options);
  gateway.cluster.brokers(broker.origin);
}

const requestOf = (body: string, target = '/druid/v2/sql', lines = ''): string =>
  `POST ${target} HTTP/1.1\r\nHost: a\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;
const query = (context: object, target?: string): Promise<RawAnswer> =>
  exchangeRaw(
    gateway.port,
    requestOf(JSON.stringify({ query: 'SELECT 1', context }), target, 'Authorization: Basic eDp5\r\n'),
  );
const cancels = (): ReceivedRequest[] => broker.requests.filter(({ method }) => method === 'DELETE');

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function quiet(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
}

describe('a query that is overdue', () => {
  test.each([
    ['/druid/v2/sql', '/druid/v2/sql/q-1', { sqlQueryId: 'q-1' }],
    ['/druid/v2', '/druid/v2/q-1', { queryId: 'q-1' }],
  ])('at %s gets a 504 with its id, and is cancelled at %s', async (target, cancelled, ids) => {
    await begin();
    const began = performance.now();
    const answer = await query({ ...ids, timeout: 100 }, target);
    expect([answer.status, answer.json().errorCode]).toEqual([504, 'upstream_timeout']);
    expect(answer.json().context).toMatchObject({ queryId: 'q-1' });
    expect(performance.now() - began).toBeGreaterThan(140);
    await until(() => cancels().length === 1);
    expect(cancels()[0]?.target).toBe(cancelled);
    expect(cancels()[0]?.header('authorization')).toBe('Basic eDp5');
    expect(cancels()[0]?.header('content-type')).toBeUndefined();
  });

  const GARBLED = ['       7', ' 7', '7       ', '?????? 7', 'a      b', '', '       ', '..', '.', 'caf\xe9'];

  test.each([
    ['/druid/v2/sql', { sqlQueryId: 'дашборд 7' }, 'sql/%D0%B4%D0%B0%D1%88%D0%B1%D0%BE%D1%80%D0%B4%207'],
    ['/druid/v2/sql', { sqlQueryId: 'a/b', queryId: 'n' }, 'sql/a%2Fb'],
    ['/druid/v2/sql/dart', { sqlQueryId: 'd', queryId: 'n' }, 'sql/dart/d'],
    ['/druid/v2', { queryId: 'CORP\\q', sqlQueryId: 's' }, 'CORP%5Cq'],
  ])(
    'at %s is cancelled by the id that its client gave, whatever the answer calls it',
    async (target, ids, id) => {
      await begin({ upstreams: { idleTimeoutMs: 60 } });
      for (const told of [...GARBLED, 'other']) {
        broker.requests.length = 0;
        onQuery = (_, socket) =>
          void socket.write(
            `HTTP/1.1 200 OK\r\nX-Druid-Query-Id: ${told}\r\nX-Druid-SQL-Query-Id: ${told}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n`,
            'latin1',
          );
        const body = Buffer.from(JSON.stringify({ query: 'SELECT 1', context: ids })).toString('latin1');
        const client = await connectRaw(gateway.port);
        client.send(Buffer.from(requestOf(body, target), 'latin1'));
        await until(() => cancels().length === 1);
        client.close();
        expect([told, cancels()[0]?.target]).toEqual([told, `/druid/v2/${id}`]);
      }
    },
  );

  test.each(GARBLED)(
    'is not cancelled by %j, which an answer says of a query that nobody named',
    async (told) => {
      await begin({ upstreams: { idleTimeoutMs: 60 } });
      onQuery = (_, socket) =>
        void socket.write(
          `HTTP/1.1 200 OK\r\nX-Druid-SQL-Query-Id: ${told}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n`,
          'latin1',
        );
      const client = await connectRaw(gateway.port);
      client.send(requestOf('{"query":"SELECT 1"}'));
      await client.ended();
      await quiet();
      expect(cancels()).toEqual([]);
    },
  );

  test('by the limit of the whole exchange is cut in the middle, and cancelled', async () => {
    await begin({ exchange: { totalTimeoutMs: 150 } });
    onQuery = (_, socket) => {
      socket.write(
        'HTTP/1.1 200 OK\r\nX-Druid-SQL-Query-Id: q-2\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n',
      );
    };
    const client = await connectRaw(gateway.port);
    client.send(requestOf('{}'));
    expect(await client.ended()).toBe('reset');
    await until(() => cancels().length === 1);
    expect(cancels()[0]?.target).toBe('/druid/v2/sql/q-2');
    expect((await gateway.recorded(1))[0]).toMatchObject({ end: 'upstream_cut', queryId: 'q-2' });
  });

  test('passes when its own timeout allows more than the usual limit', async () => {
    await begin({ upstreams: { responseTimeoutMs: 100, idleTimeoutMs: 100 } });
    onQuery = (_, socket) => {
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab'), 1_500);
      setTimeout(() => socket.write('cd'), 3_000);
    };
    expect((await query({ timeout: 10_000 })).body.toString()).toBe('abcd');
    expect(cancels()).toEqual([]);
  });

  test('passes when its own timeout allows more than its class and the whole exchange, gzipped, too', async () => {
    await begin({
      exchange: {
        totalTimeoutMs: 200,
        timeoutsByClass: { query: { responseTimeout: 100, idleTimeout: 100 } },
      },
    });
    onQuery = (_, socket) => {
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab'), 600);
      setTimeout(() => socket.write('cd'), 1_200);
    };
    expect((await query({ timeout: 20_000 })).body.toString()).toBe('abcd');
    const body = gzipSync(JSON.stringify({ query: 'SELECT 1', context: { timeout: 20_000 } }));
    const head = `POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}`;
    const answer = await exchangeRaw(gateway.port, Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body]));
    expect(answer.body.toString()).toBe('abcd');
    expect(broker.requests.at(-1)?.body).toEqual(body);
    expect(cancels()).toEqual([]);
  });

  test('has the limits of its class where it says nothing itself', async () => {
    await begin({ exchange: { timeoutsByClass: { query: { responseTimeout: 100 } } } });
    const answer = await query({ sqlQueryId: 'q-6' });
    expect([answer.status, answer.json().errorCode]).toEqual([504, 'upstream_timeout']);
    expect(answer.json()).toMatchObject({ error: 'druidException', category: 'TIMEOUT' });
    expect((await gateway.recorded(1))[0]).toMatchObject({ status: 504, queryId: 'q-6' });
    await until(() => cancels().length === 1);
  });

  test('of a class with a longer limit than usual is waited for, in its silence as well', async () => {
    await begin({
      upstreams: { responseTimeoutMs: 100, idleTimeoutMs: 100 },
      exchange: { timeoutsByClass: { query: { responseTimeout: 0, idleTimeout: 0 } } },
    });
    onQuery = (_, socket) => {
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab'), 1_500);
      setTimeout(() => socket.write('cd'), 3_000);
    };
    expect((await query({})).body.toString()).toBe('abcd');
  });

  test('is cut by the limit of its class for the whole exchange', async () => {
    await begin({ exchange: { timeoutsByClass: { query: { totalTimeout: 150 } } } });
    expect((await query({ sqlQueryId: 'q-7' })).status).toBe(504);
    await until(() => cancels().length === 1);
  });

  test.each([2 ** 31 - 1, '2147483647', 99_999_999_999, 2 ** 52])(
    'after %s ms is waited for, though no timer can wait for so long',
    async (timeout) => {
      await begin({ exchange: { totalTimeoutMs: 60_000 } });
      onQuery = (_, socket) => {
        setTimeout(() => socket.write(json('ok')), 200);
      };
      expect((await query({ timeout })).status).toBe(200);
      expect(cancels()).toEqual([]);
    },
  );

  test('without a timeout of its own has the usual limit', async () => {
    await begin({ upstreams: { responseTimeoutMs: 100 } });
    expect((await query({ timeout: 0 })).status).toBe(504);
  });
});

test('each class has its own limits: a read is given up while a statement is waited for', async () => {
  await begin({
    upstreams: { responseTimeoutMs: 100 },
    exchange: { timeoutsByClass: { statement: { responseTimeout: 20_000 }, read: { responseTimeout: 150 } } },
  });
  gateway.cluster.lead('coordinator', broker.origin);
  onQuery = ({ method }, socket) => {
    if (method === 'POST') setTimeout(() => socket.write(json('done')), 1_500);
  };
  const get = 'GET /druid/coordinator/v1/datasources HTTP/1.1\r\nHost: a\r\n\r\n';
  const [statement, read] = await Promise.all([
    exchangeRaw(gateway.port, requestOf('{}', '/druid/v2/sql/task')),
    exchangeRaw(gateway.port, get),
  ]);
  expect([statement.status, read.status, read.json().errorCode]).toEqual([200, 504, 'upstream_timeout']);
});

describe('a client that leaves', () => {
  async function leaves(context: object, target?: string): Promise<void> {
    const begun = broker.requests.length;
    const client: RawClient = await connectRaw(gateway.port);
    client.send(requestOf(JSON.stringify({ query: 'SELECT 1', context }), target));
    await until(() => broker.requests.length === begun + 1);
    client.close();
    await gateway.recorded(gateway.records.length + 1);
  }

  test('has its query cancelled', async () => {
    await begin();
    await leaves({ sqlQueryId: 'q-3' });
    await until(() => cancels().length === 1);
    expect(cancels()[0]?.target).toBe('/druid/v2/sql/q-3');
    expect(gateway.runningQueries.size).toBe(0);
  });

  test('has not where that is switched off, or the id is not known', async () => {
    await begin({ exchange: { cancelOnDisconnect: { native: true, sql: false } } });
    await leaves({ sqlQueryId: 'q-3' });
    await quiet();
    expect(cancels()).toEqual([]);
    await leaves({ queryId: 'q-3' }, '/druid/v2');
    await until(() => cancels().length === 1);
    expect(cancels()[0]?.target).toBe('/druid/v2/q-3');
    await gateway.close();
    broker.requests.splice(0);
    await begin();
    await leaves({});
    await quiet();
    expect(cancels()).toEqual([]);
  });

  test.each([
    ['half a surrogate pair', { sqlQueryId: '\ud800' }],
    ['half a surrogate pair, of a native query', { queryId: 'a\udfff' }],
    ['a step up', { sqlQueryId: '..' }],
    ['more than an id has', { sqlQueryId: 'x'.repeat(257) }],
  ])('has nothing cancelled by %s, and everybody else is served on', async (_, ids) => {
    await begin();
    await leaves(ids, 'queryId' in ids ? '/druid/v2' : '/druid/v2/sql');
    expect((await gateway.recorded(1))[0]).toMatchObject({ end: 'client_gone' });
    const overdue = await query({ ...ids, timeout: 100 });
    expect([overdue.status, overdue.json().errorCode]).toEqual([504, 'upstream_timeout']);
    await quiet();
    expect(cancels()).toEqual([]);
    expect(gateway.runningQueries.size).toBe(0);
    onQuery = (_request, socket) => socket.write(json('ok'));
    expect((await query({})).status).toBe(200);
  });

  test('after its answer has nothing cancelled', async () => {
    await begin();
    onQuery = (_, socket) => socket.write(json('ok'));
    expect((await query({ sqlQueryId: 'q-4' })).status).toBe(200);
    await quiet();
    expect(cancels()).toEqual([]);
  });
});

describe('an answer that Druid calls incomplete', () => {
  const INCOMPLETE =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Druid-Response-Complete\r\n\r\n' +
    '1\r\n[\r\n0\r\nX-Druid-Response-Complete: false\r\nX-Error-Message: out of disk\r\n\r\n';

  const UNSAID =
    'HTTP/1.1 200 OK\r\nX-Druid-Query-Id: q-8\r\nTransfer-Encoding: chunked\r\n' +
    'Trailer: X-Druid-Response-Complete\r\n\r\n1\r\n[\r\n0\r\nTRAILERS\r\n';

  test('is a reset instead of a clean end where that is wanted', async () => {
    await begin({ exchange: { resetIncomplete: true } });
    onQuery = (_, socket) => socket.write(INCOMPLETE);
    const client = await connectRaw(gateway.port);
    client.send(requestOf('{}'));
    expect(await client.ended()).toBe('reset');
    expect((await gateway.recorded(1))[0]).toMatchObject({ end: 'incomplete' });
  });

  test.each([
    ['says nothing', ''],
    ['says something else', 'X-Other: 1\r\n'],
  ])(
    'because the trailer that was to say so %s counts, too, and is passed on as it is',
    async (_, trailers) => {
      await begin();
      onQuery = (_request, socket) => socket.write(UNSAID.replace('TRAILERS', trailers));
      const answer = await exchangeRaw(gateway.port, requestOf('{}'));
      expect([answer.status, answer.body.toString(), answer.trailers]).toEqual([
        200,
        '[',
        trailers === '' ? [] : ['X-Other: 1'],
      ]);
      expect((await gateway.recorded(1))[0]).toMatchObject({ end: 'incomplete', queryId: 'q-8' });
    },
  );

  test('because the trailer says nothing is a reset where that is wanted', async () => {
    await begin({ exchange: { resetIncomplete: true } });
    onQuery = (_, socket) => socket.write(UNSAID.replace('TRAILERS', ''));
    const client = await connectRaw(gateway.port);
    client.send(requestOf('{}'));
    expect(await client.ended()).toBe('reset');
  });

  test.each([
    ['that has no such trailer to come', UNSAID.replace(/Trailer:.*?\r\n/, '').replace('TRAILERS', '')],
    ['with a length', 'HTTP/1.1 200 OK\r\nTrailer: X-Druid-Response-Complete\r\nContent-Length: 1\r\n\r\n['],
    ['without a body', 'HTTP/1.1 304 Not Modified\r\nTrailer: X-Druid-Response-Complete\r\n\r\n'],
    ['that is complete', UNSAID.replace('TRAILERS', 'X-Druid-Response-Complete: true\r\n')],
  ])('is none %s', async (_, sent) => {
    await begin();
    onQuery = (_request, socket) => socket.write(sent);
    await exchangeRaw(gateway.port, requestOf('{}'));
    expect((await gateway.recorded(1))[0]).toMatchObject({ end: 'complete' });
  });

  test('is shown as Druid meant it to a client that reads trailers', async () => {
    await begin({ exchange: { resetIncomplete: true } });
    onQuery = (_, socket) => socket.write(INCOMPLETE);
    const answer = await exchangeRaw(gateway.port, requestOf('{}', '/druid/v2/sql', 'TE: trailers\r\n'));
    expect(answer.trailers).toEqual(['X-Druid-Response-Complete: false', 'X-Error-Message: out of disk']);
  });
});
