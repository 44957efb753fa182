import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAdmin } from '../../../src/admin/admin.ts';
import type { History } from '../../../src/admin/history/history.ts';
import type { Term } from '../../../src/admin/history/term.ts';
import type { State } from '../../../src/admin/status.ts';
import type { MetricsJson } from '../../../src/workers/protocol/messages.ts';
import { type RecordedErrors, recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { FakeCluster, FakeDiscovery, node, serving } from './fakes.ts';

interface Event {
  readonly name: string;
  readonly data: State & Record<string, unknown>;
}

let app: FastifyInstance;
let cluster: FakeCluster;
let errors: RecordedErrors;
let samples: number;
let sample: () => Promise<MetricsJson>;
let tellTerm: ((term: Term) => void) | null;
let url: string;
let open: IncomingMessage[];

const history: Pick<History, 'body' | 'onTerm'> = {
  body: { since: '2026-01-01T00:00:00.000Z', terms: [] },
  onTerm(listener) {
    tellTerm = listener;
    return () => {
      tellTerm = null;
    };
  },
};

beforeEach(async () => {
  cluster = new FakeCluster();
  errors = recordErrors();
  samples = 0;
  sample = async () => [];
  tellTerm = null;
  open = [];
  app = createAdmin({
    cluster,
    discovery: new FakeDiscovery(),
    metrics: { contentType: 'text/plain', render: async () => '' },
    sampleTraffic: () => {
      samples++;
      return sample();
    },
    history,
    errors,
    draining: () => false,
    version: '1.2.3',
    config: { secret: 'of the configuration' },
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});

afterEach(async () => {
  for (const stream of open) stream.destroy();
  await app.close();
});

/** Opens `/events`; the events come one by one. */
async function listen(): Promise<{ response: IncomingMessage; next: () => Promise<Event> }> {
  const request = get(`${url}/events`, { agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.on('error', () => {});
  open.push(response);
  const events: Event[] = [];
  let wake = (): void => {};
  let rest = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    rest += chunk;
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, name = '', data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      if (name !== '') events.push({ name, data: JSON.parse(data) as Event['data'] });
    }
    wake();
  });
  const next = async (): Promise<Event> => {
    for (;;) {
      const event = events.shift();
      if (event !== undefined) return event;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { response, next };
}

test('a reader gets the state at once, without the configuration, and then the traffic', async () => {
  const { response, next } = await listen();
  expect(response.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
  });
  const { name, data } = await next();
  expect(name).toBe('status');
  expect(data).toMatchObject({ version: '1.2.3', brokers: [], traffic: { classes: {}, refusals: [] } });
  expect(JSON.stringify(data)).not.toContain('of the configuration');
});

test('a change of leader is told within the moment, and a crowd of changes together', async () => {
  const { next } = await listen();
  await next();
  const began = performance.now();
  for (let term = 0; term < 500; term++) cluster.lead(serving('overlord', node('b:8090'), term));
  let told = 0;
  for (let term: unknown = null; term !== 499; told++) {
    term = (await next()).data.leaders.overlord.term;
  }
  expect(performance.now() - began).toBeLessThan(1_000);
  expect(told).toBeLessThanOrEqual(2);
});

test('a worker that does not answer holds up the counts, but no change of leader', async () => {
  const { next } = await listen();
  await next();
  const asked = Promise.withResolvers<void>();
  sample = () => {
    asked.resolve();
    return new Promise(() => {});
  };
  await asked.promise;
  cluster.lead(serving('overlord', node('b:8090'), 1));
  expect((await next()).data.leaders).toMatchObject({ overlord: { node: 'b:8090' } });
});

test('all readers share one sample, and without a reader there is none', async () => {
  const readers = [await listen(), await listen(), await listen()];
  await Promise.all(readers.map(({ next }) => next()));
  await Promise.all(readers.map(({ next }) => next()));
  expect(samples).toBeLessThanOrEqual(2);
  expect(cluster.listenerCount('view')).toBe(1);
  const gone = readers.map(({ response }) => once(response, 'close'));
  for (const { response } of readers) response.destroy();
  await Promise.all(gone);
  while (cluster.listenerCount('view') > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(tellTerm).toBeNull();
});

test('what happened while nobody read is not told as if it happened now', async () => {
  let refused = 3;
  sample = async () =>
    [
      {
        name: 'druid_gateway_errors_total',
        values: [{ labels: { reason: 'no_leader', class: 'read' }, value: refused }],
      },
    ] as unknown as MetricsJson;
  const reader = await listen();
  expect((await reader.next()).data.traffic).toMatchObject({ refusals: [], refused: { no_leader: 3 } });
  refused = 5;
  expect((await reader.next()).data.traffic).toMatchObject({
    refusals: [{ reason: 'no_leader', class: 'read', count: 2 }],
  });
  reader.response.destroy();
  while (cluster.listenerCount('view') > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  refused = 9;
  const { next } = await listen();
  expect((await next()).data.traffic).toMatchObject({ refusals: [], refused: { no_leader: 9 } });
});

test('terms of leadership are told as they begin and end', async () => {
  const { next } = await listen();
  await next();
  const term: Term = {
    role: 'overlord',
    node: 'b:8090',
    term: 7,
    from: '2026-01-01T12:01:07.000Z',
    to: null,
    gapMs: 8_200,
    waited: 143,
    failed: 0,
    knownBy: 'both',
  };
  tellTerm?.(term);
  expect(await next()).toEqual({ name: 'term', data: term });
});

test('a sample that fails is an error of ours, told once, and the stream goes on', {
  timeout: 20_000,
}, async () => {
  const { next } = await listen();
  await next();
  sample = () => {
    sample = async () => [];
    throw new Error('thrown on purpose');
  };
  await next();
  expect(errors.lines).toMatchObject([{ place: 'admin', error: 'Error: thrown on purpose' }]);
});

test('a stream outlives the time that a request may take', { timeout: 30_000 }, async () => {
  const { response, next } = await listen();
  const end = performance.now() + 12_000;
  while (performance.now() < end) await next();
  expect(response.destroyed).toBe(false);
});

test('the fifty-first stream is refused, until one closes', async () => {
  const readers: IncomingMessage[] = [];
  for (let i = 0; i < 50; i++) readers.push((await listen()).response);
  const refused = await fetch(`${url}/events`);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await refused.json()).toEqual({
    error: '50 streams of events are open already; close one, or ask /status',
  });
  readers[0]?.destroy();
  let status = 503;
  while (status === 503) {
    const again = await fetch(`${url}/events`);
    status = again.status;
    await again.body?.cancel();
  }
  expect(status).toBe(200);
});

test('a reader that takes nothing is cut, and costs no memory until then', { timeout: 60_000 }, async () => {
  const why = 'x'.repeat(1_000);
  const brokers = Array.from({ length: 2_000 }, (_, i) => ({
    node: node(`broker-${i}:8082`),
    service: 's',
    ready: true,
    cordoned: false,
    ejected: false,
    why,
  }));
  const taken = new Promise<Socket>((resolve) => app.server.once('connection', resolve));
  const reader = connect(Number(new URL(url).port), '127.0.0.1').pause();
  reader.on('error', () => {});
  reader.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const ours = await taken;
  let most = 0;
  const closed = once(ours, 'close');
  const changing = setInterval(() => {
    cluster.show({ brokers });
    most = Math.max(most, ours.writableLength);
  }, 50);
  await closed;
  clearInterval(changing);
  reader.destroy();
  expect(most).toBeGreaterThan(0);
  // One event, and no queue of them.
  expect(most).toBeLessThan(6_000_000);
});

test('a connection has one stream, however often it asks', async () => {
  const asked = 'GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const sockets = await Promise.all(
    [1, 2, 3].map(async () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      socket.write(asked.repeat(20));
      await once(socket, 'data');
      return socket;
    }),
  );
  expect((await listen()).response.statusCode).toBe(200);
  for (const stream of [...sockets, ...open]) stream.destroy();
  while (cluster.listenerCount('view') > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('closing the listener ends the streams at once', async () => {
  const { response, next } = await listen();
  await next();
  const ended = once(response, 'close');
  const began = performance.now();
  await app.close();
  await ended;
  expect(performance.now() - began).toBeLessThan(1_000);
  expect(cluster.listenerCount('view')).toBe(0);
});

test('a HEAD of a stream does not open one', async () => {
  const response = await fetch(`${url}/events`, { method: 'HEAD' });
  expect(response.status).toBe(404);
  expect(await response.text()).toBe('');
  expect(samples).toBe(0);
});
