import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RecordSink } from '../../../../src/exchange/ports/record.ts';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { startBareDoor } from '../../../kit/gateway/bare-door.ts';
import type { Harness, HarnessOptions } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let leader: FakeUpstream;
let gateway: Harness;

async function start(options: HarnessOptions = {}): Promise<void> {
  gateway = await startBareDoor(options);
  gateway.cluster.lead('coordinator', leader.origin);
}

beforeEach(async () => {
  leader = await startUpstream((_, socket) => socket.write(PAGE));
});

afterEach(async () => {
  await gateway.close();
  await leader.close();
});

const PAGE = plain('200 OK', ['Content-Type: text/html'], '<html>');
const get = (line = 'GET /'): Promise<RawAnswer> =>
  exchangeRaw(gateway.port, `${line} HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n`);
const outstanding = (): number => gateway.cluster.node(leader.origin).outstanding;
/** The record of the first page, once it is over. */
async function recorded(count = 1): Promise<(typeof gateway.records)[number] | undefined> {
  while (gateway.records.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  return gateway.records[count - 1];
}

describe('answers that are none', () => {
  test.each([
    ['a status of 600', 'HTTP/1.1 600 Odd\r\nContent-Length: 2\r\n\r\nok'],
    ['a status of 999', 'HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok'],
    ['a status of 600 and a body that hangs', 'HTTP/1.1 600 Odd\r\nContent-Length: 20\r\n\r\nok'],
    ['bytes that are not HTTP', 'nothing of the kind\r\n\r\n'],
  ])('%s is a 502, and the next page is served', async (_, bytes) => {
    await start();
    leader.script = (_request, socket) => void socket.write(bytes);
    const answer = await get();
    expect([answer.status, answer.json().errorCode]).toEqual([502, 'upstream_malformed']);
    expect(answer.header('x-request-id')).toBe('mine');
    expect(await recorded()).toMatchObject({ status: 502, reason: 'upstream_malformed', attempts: 1 });
    expect(outstanding()).toBe(0);
    leader.script = (_request, socket) => void socket.write(PAGE);
    expect((await get()).status).toBe(200);
    expect(gateway.errors.lines).toEqual([]);
  });

  test.each([
    ['599', plain('599 Odd', [], 'odd'), 'odd'],
    ['a reason phrase beyond ASCII', plain('200 \xfc\xff', [], 'page'), 'page'],
    ['a header beyond ASCII', plain('200 OK', ['X-Odd: \xe2\x82\xac'], 'page'), 'page'],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    ['304', 'HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n', ''],
    ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n', ''],
    ['103 ahead', `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${PAGE.toString()}`, '<html>'],
    [
      'names that objects have',
      plain('200 OK', ['constructor: x', '__proto__: y', '__proto__: z'], 'p'),
      'p',
    ],
    ['no framing', 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npage', 'page'],
  ])('%s is served', async (_, bytes, body) => {
    await start();
    leader.script = (_request, socket) => {
      socket.write(bytes);
      if (bytes.includes('close')) socket.end();
    };
    const client = await connectRaw(gateway.port);
    for (let i = 1; i <= 2; i++) {
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.answer()).body.toString()).toBe(body);
      expect((await recorded(i))?.end).toBe('complete');
    }
    client.close();
    expect(outstanding()).toBe(0);
  });

  test.each([
    ['before its head', ''],
    ['in its head', 'HTTP/1.1 200 OK\r\n'],
    ['behind its head', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n'],
    ['in its body', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'],
    ['in the body of one that is not for the client', 'HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\nhalf'],
    ['in the body of one without a body', 'HTTP/1.1 307 No\r\nLocation: /x\r\nContent-Length: 100\r\n\r\n'],
  ])('a node that resets its answer %s ends nothing but the page', async (_, bytes) => {
    await start();
    leader.script = (_request, socket) => {
      if (bytes === '') socket.resetAndDestroy();
      else socket.write(bytes, () => setTimeout(() => socket.resetAndDestroy(), 20));
    };
    const answer = await get().catch(() => null);
    expect([null, 502, 503]).toContain(answer?.status ?? null);
    await recorded();
    expect(outstanding()).toBe(0);
    leader.script = (_request, socket) => void socket.write(PAGE);
    expect((await get()).status).toBe(200);
    expect(gateway.errors.lines).toEqual([]);
  });

  test('a client that has left before the answer comes ends nothing', async () => {
    await start();
    const { promise, resolve } = Promise.withResolvers<() => void>();
    leader.script = (_, socket) => resolve(() => void socket.write(PAGE));
    const client = await connectRaw(gateway.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const answer = await promise;
    client.close();
    expect((await recorded())?.end).toBe('client_gone');
    answer();
    leader.script = (_, socket) => void socket.write(PAGE);
    expect((await get()).status).toBe(200);
    expect(outstanding()).toBe(0);
  });

  test('a target that the proxy would not resolve is a 400 in the gateway’s own words', async () => {
    await start();
    const answer = await get('GET /public/..a');
    expect([answer.status, answer.json().errorCode]).toEqual([400, 'target_malformed']);
    expect(outstanding()).toBe(0);
  });
});

describe('what throws in the gateway itself', () => {
  const thrown = new Error('on purpose');
  const fail = (): never => {
    throw thrown;
  };

  const isInternal = (answer: RawAnswer): void => {
    expect([answer.status, answer.json().errorCode]).toEqual([500, 'internal_error']);
    expect(gateway.errors.lines).toMatchObject([
      { place: 'request', id: 'mine', error: 'Error: on purpose' },
    ]);
    expect([
      outstanding(),
      gateway.concurrency.under('coordinator'),
      gateway.waitQueue.waiting('coordinator'),
    ]).toEqual([0, 0, 0]);
  };

  test.each<[string, HarnessOptions['deps']]>([
    ['when a page begins', (own) => ({ ...own, retryBudget: { ...own.retryBudget, deposit: fail } })],
    ['when it is made out for whom it is', (own) => ({ ...own, options: { ...own.options, trusts: fail } })],
    ['when its node is chosen', { chooseTarget: fail }],
    ['when it is given room', (own) => ({ ...own, concurrency: { ...own.concurrency, enter: fail } })],
  ])('%s ends the page with 500, told with its id', async (_, deps) => {
    await start({ deps: deps ?? {} });
    isInternal(await get());
    expect(await recorded()).toMatchObject({ status: 500, reason: 'internal_error' });
  });

  test('when it is sent', async () => {
    await start();
    const origin = vi.spyOn(gateway.cluster.node(leader.origin), 'origin', 'get').mockImplementation(fail);
    isInternal(await get());
    origin.mockRestore();
    expect((await get()).status).toBe(200);
  });

  test('when its answer is judged', async () => {
    await start();
    gateway.cluster.onReport = fail;
    isInternal(await get());
    gateway.cluster.onReport = () => {};
    expect((await get()).status).toBe(200);
  });

  test('when its failure is judged', async () => {
    await start();
    gateway.cluster.onReport = fail;
    leader.script = (_, socket) => socket.destroy();
    isInternal(await get());
  });

  test('when it goes on after it has waited', async () => {
    let sabotaged = false;
    await start({
      deps: (own) => ({
        ...own,
        concurrency: {
          ...own.concurrency,
          enter: (claim) => (sabotaged ? fail() : own.concurrency.enter(claim)),
        },
      }),
    });
    gateway.cluster.unlead('coordinator');
    const waiting = get();
    while (gateway.waitQueue.waiting('coordinator') === 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
    sabotaged = true;
    gateway.cluster.lead('coordinator', leader.origin);
    isInternal(await waiting);
  });

  test('when it is counted at its end, after which the connection is still of use', async () => {
    let sink: RecordSink = fail;
    await start({ deps: { sink: (record) => sink(record) } });
    const client = await connectRaw(gateway.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n');
    expect((await client.answer()).status).toBe(200);
    while (gateway.errors.total === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(gateway.errors.lines).toMatchObject([{ place: 'request', id: 'mine' }]);
    sink = () => {};
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.answer()).status).toBe(200);
    client.close();
    expect(outstanding()).toBe(0);
  });

  test('before there is a page: its connection is cut', async () => {
    let now = (): number => performance.now();
    await start({ console: { now: () => now() } });
    now = fail;
    const client = await connectRaw(gateway.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n');
    await client.ended();
    expect(gateway.errors.lines).toMatchObject([{ place: 'request', id: 'mine' }]);
  });
});

test('a Coordinator that wants its connection kept for a month has it ended at our own time', async () => {
  await start({ console: { keepAliveTimeoutMs: 300 } });
  leader.script = (_, socket) =>
    void socket.write(plain('200 OK', ['Keep-Alive: timeout=2147484', 'Connection: keep-alive'], 'page'));
  expect((await get()).status).toBe(200);
  while (leader.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

describe('a node that never comes to its head', () => {
  const waits = [
    ['says nothing', () => {}],
    [
      'says 1xx for ever',
      (_: unknown, socket: Socket) => {
        const timer = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 50);
        socket.once('close', () => clearInterval(timer));
      },
    ],
    [
      'says its head byte by byte',
      (_: unknown, socket: Socket) => {
        socket.write('HTTP/1.1 200 OK\r\nX-Long: ');
        const timer = setInterval(() => socket.write('x'), 50);
        socket.once('close', () => clearInterval(timer));
      },
    ],
  ] as const;

  test.each(waits)(
    'and %s has its page ended by the time limit, and its connection, too',
    async (_, script) => {
      await start({ console: { responseTimeoutMs: 400 } });
      leader.script = script;
      const began = performance.now();
      const answer = await get();
      expect([answer.status, answer.json().errorCode]).toEqual([504, 'upstream_timeout']);
      expect(performance.now() - began).toBeGreaterThan(390);
      while (leader.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(outstanding()).toBe(0);
      expect(gateway.errors.lines).toEqual([]);
    },
  );

  test.each(waits)('and %s is let go when the client leaves', async (_, script) => {
    await start({ console: { responseTimeoutMs: 0 } });
    leader.script = script;
    const client = await connectRaw(gateway.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    while (leader.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    client.close();
    while (leader.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await recorded())?.end).toBe('client_gone');
    expect(outstanding()).toBe(0);
    expect(gateway.errors.lines).toEqual([]);
  });
});

test('a page that comes to a standstill is cut in time', async () => {
  await start({ console: { idleTimeoutMs: 400 } });
  leader.script = (_, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab');
  const client = await connectRaw(gateway.port);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.ended();
  await recorded();
  while (leader.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a page that is under way is let go when its client leaves', async () => {
  await start();
  leader.script = (_, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab');
  const client = await connectRaw(gateway.port);
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  while (!client.received().toString().endsWith('ab')) await new Promise((resolve) => setTimeout(resolve, 5));
  client.close();
  while (leader.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect((await recorded())?.end).toBe('client_gone');
  expect(outstanding()).toBe(0);
});

test('the connection of an answer that no client gets is of use for the next', async () => {
  await start();
  const unwanted = plain('503 Service Unavailable', ['Content-Type: text/html'], 'x'.repeat(10_000));
  leader.script = (_, socket) => void socket.write(leader.requests.length < 3 ? unwanted : PAGE);
  expect((await get()).status).toBe(200);
  const client = await connectRaw(gateway.port);
  client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.answer({ head: true });
  client.close();
  expect((await get()).status).toBe(200);
  expect(leader.requests.map(({ connection }) => connection)).toEqual([0, 0, 0, 0, 0]);
});

test('an answer that no client gets, and that does not end, has its connection ended', async () => {
  await start();
  const { promise, resolve } = Promise.withResolvers<void>();
  const began = performance.now();
  leader.script = (_, socket) => {
    leader.script = (_again, another) => void another.write(PAGE);
    socket.once('close', resolve);
    socket.write('HTTP/1.1 503 No\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nhalf');
  };
  expect((await get()).status).toBe(200);
  await promise;
  // Long before the node has been quiet for as long as it may.
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(outstanding()).toBe(0);
});

test('clients that do not read their pages keep them from nobody', async () => {
  await start({ limits: { sendTimeoutMs: 5_000 }, exchange: { maxPerNode: 100 } });
  const large = plain('200 OK', ['Content-Type: text/html'], Buffer.alloc(8 * 1024 * 1024, 'x'));
  leader.script = (_, socket) => void socket.write(large);
  const unread = await Promise.all(Array.from({ length: 64 }, () => connectRaw(gateway.port)));
  for (const client of unread) {
    client.socket.pause();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  }
  while (leader.requests.length < 64) await new Promise((resolve) => setTimeout(resolve, 5));
  leader.script = (_, socket) => void socket.write(PAGE);
  const began = performance.now();
  expect((await get()).status).toBe(200);
  // Long before any of those is cut.
  expect(performance.now() - began).toBeLessThan(3_000);
  while (gateway.records.length < 65) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(outstanding()).toBe(0);
  for (const client of unread) client.close();
});

test('an error when a client that does not read its page is to be cut is told, and it is cut all the same', async () => {
  await start({ limits: { sendTimeoutMs: 300 } });
  leader.script = (_request, socket) => void socket.write(plain('200 OK', [], 'x'.repeat(20_000_000)));
  const cut = vi.spyOn(Socket.prototype, 'resetAndDestroy').mockImplementationOnce(() => {
    throw new Error('at the cut');
  });
  const client = await connectRaw(gateway.port);
  client.socket.pause();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(await recorded()).toMatchObject({ end: 'client_gone', status: 200 });
  cut.mockRestore();
  expect(gateway.errors.lines).toMatchObject([{ place: 'client', error: 'Error: at the cut' }]);
  expect(outstanding()).toBe(0);
  client.close();
});
