import { once } from 'node:events';
import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAdmin } from '../../../src/admin/admin.ts';
import type { NotLive } from '../../../src/admin/liveness.ts';
import type { Announcement, Label, Role } from '../../../src/discovery/discovery.ts';
import type { WorkerStatus } from '../../../src/workers/worker-status.ts';
import { type RecordedErrors, recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { FakeCluster, FakeDiscovery, node, serving } from './fakes.ts';

let cluster: FakeCluster;
let discovery: FakeDiscovery;
let draining: boolean;
let workers: WorkerStatus[] | null;
let now: number;
let notLive: NotLive | null;
let render: () => Promise<string>;
let app: FastifyInstance;
let errors: RecordedErrors;
let url: string;

beforeEach(async () => {
  cluster = new FakeCluster();
  discovery = new FakeDiscovery();
  errors = recordErrors();
  draining = false;
  workers = null;
  now = 1_000_000;
  notLive = null;
  render = async () => 'a_metric 1\n';
  app = createAdmin({
    cluster,
    discovery,
    metrics: { contentType: 'text/plain; version=0.0.4; charset=utf-8', render: () => render() },
    errors,
    notLive: () => notLive,
    draining: () => draining,
    workers: () => workers,
    version: '1.2.3',
    config: { zookeeper: { password: '[redacted]' } },
    now: () => now,
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});

afterEach(() => app.close());

function worker(number: number, state: WorkerStatus['state']): WorkerStatus {
  return { worker: number, pid: 100 + number, state, uptime: 1, inFlight: 0, restarts: 0 };
}

async function json(path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url + path);
  return { status: response.status, body: await response.json() };
}

test('a connection that could not be accepted is an error of ours, and no more', async () => {
  app.server.emit('error', new Error('EMFILE'));
  expect(errors.lines).toMatchObject([{ place: 'admin', error: 'Error: EMFILE' }]);
  expect((await json('/health/live')).status).toBe(200);
});

describe('of what is no request', () => {
  async function told(...pieces: string[]): Promise<string> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (data: Buffer) => {
      text += data.toString();
      const piece = pieces.shift();
      if (piece !== undefined) socket.write(piece);
    });
    socket.write(pieces.shift() ?? '');
    await once(socket, 'close');
    return text;
  }
  const statuses = (text: string): string[] =>
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code ?? '');

  test('nothing is said behind the answer of its request', async () => {
    const upload = 'GET /nothing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(statuses(await told(upload, 'zz\r\n'))).toEqual(['404']);
  });

  test('it is said in its turn', async () => {
    render = async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return 'a_metric 1\n';
    };
    expect(statuses(await told('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n?? ??\r\n'))).toEqual(['200', '400']);
  });
});

describe('probes', () => {
  test('it is live from the start', async () => {
    expect(await json('/health/live')).toEqual({ status: 200, body: { status: 'live' } });
  });

  test('it is not live when the gateway is beyond mending itself, and says why', async () => {
    notLive = 'internal_errors';
    const body = { status: 'not live', reason: 'internal_errors' };
    expect(await json('/health/live')).toEqual({ status: 503, body });
  });

  test('it is ready once discovery has been read whole, and no more when it drains', async () => {
    const notReady = { status: 503, body: { status: 'not ready', reason: 'discovery_incomplete' } };
    expect(await json('/health/ready')).toEqual(notReady);
    cluster.show({ complete: true });
    expect(await json('/health/ready')).toEqual({ status: 200, body: { status: 'ready' } });
    draining = true;
    expect(await json('/health/ready')).toEqual({
      status: 503,
      body: { status: 'not ready', reason: 'draining' },
    });
    expect((await json('/health/live')).status).toBe(200);
  });

  test('it is not ready while no worker serves', async () => {
    cluster.show({ complete: true });
    workers = [worker(1, 'starting'), worker(2, 'gone')];
    expect(await json('/health/ready')).toEqual({
      status: 503,
      body: { status: 'not ready', reason: 'no_worker' },
    });
    workers = [worker(1, 'starting'), worker(2, 'serving')];
    expect((await json('/health/ready')).status).toBe(200);
    expect((await json('/status')).body).toMatchObject({ workers });
  });

  test.each(['/metrics', '/health/live', '/health/ready', '/status', '/nothing'])(
    'HEAD %s answers as GET does, without a body, and nobody may store it',
    async (path) => {
      const [get, head] = await Promise.all([fetch(url + path), fetch(url + path, { method: 'HEAD' })]);
      expect(head.status).toBe(get.status);
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
      expect(await head.text()).toBe('');
      expect(get.headers.get('cache-control')).toBe('no-store');
      await get.text();
    },
  );
});

test('metrics are served in the text format', async () => {
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await response.text()).toBe('a_metric 1\n');
});

test('an unknown path is a 404 that names the known ones', async () => {
  const paths = [
    '/',
    '/metrics',
    '/health/live',
    '/health/ready',
    '/status',
    '/events',
    '/view',
    '/sd/prometheus',
    'POST /v3/discovery:endpoints',
    '/history',
    'POST /explain',
    'POST /brokers/HOST:PORT/cordon, drain or return',
    '/log-level',
    'PUT /log-level',
    'POST /reload',
  ];
  expect(await json('/druid/v2')).toEqual({ status: 404, body: { error: 'not found', paths } });
});

test('a failure says nothing about the inside', async () => {
  render = async () => {
    throw new Error('secret at /some/path.ts');
  };
  expect(await json('/metrics')).toEqual({ status: 500, body: { error: 'internal error' } });
});

test.each<[string, () => void]>([
  ['/metrics', () => (render = () => Promise.reject(new Error('thrown on purpose')))],
  [
    '/metrics',
    () => {
      render = () => {
        throw Object.assign(new Error('thrown on purpose'), { statusCode: 302 });
      };
    },
  ],
  ['/metrics', () => (render = () => Promise.reject('thrown on purpose'))],
  ['/status', () => Reflect.set(cluster, 'view', null)],
  ['/health/ready', () => Reflect.set(cluster, 'view', null)],
])('what throws in %s is a 500, told once, and the next is answered', async (path, spoil) => {
  const { view } = cluster;
  spoil();
  expect(await json(path)).toEqual({ status: 500, body: { error: 'internal error' } });
  expect(errors.lines).toMatchObject([{ place: 'admin', error: expect.any(String) }]);
  Reflect.set(cluster, 'view', view);
  expect((await json('/health/live')).status).toBe(200);
});

const FIRST_BYTES = [
  '',
  'x',
  '\0\0\0\0',
  '\x16\x03\x01\x02\0\x01',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'GET',
  'GET /metrics HTTP/1.1\r\n',
  'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET /events HTTP/1.1\r\nHost: localhost\r\n\r\nGET /events HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /\ud800 HTTP/1.1\r\nHost: a\r\n\r\n',
  'CONNECT b:80 HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /brokers/a:1/drain HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc',
  'POST /brokers/a:1/drain HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{',
  'POST /brokers/a:1/drain HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab',
  'POST /brokers/a:1/drain HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n',
  'POST /brokers/a:1/drain HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Length: 1\r\n\r\n',
  `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
];

test.each(FIRST_BYTES.map((bytes) => [bytes.slice(0, 60), bytes]))(
  '%j and then a reset or an end ends nothing else',
  async (_, bytes) => {
    for (const delay of [0, 5, 30]) {
      for (const how of ['reset', 'end'] as const) {
        const socket = connect(Number(new URL(url).port), '127.0.0.1');
        socket.on('error', () => {}).resume();
        await once(socket, 'connect');
        const closed = once(socket, 'close');
        if (delay === 0 && how === 'reset') {
          // In one burst, so that it is there before anything is answered.
          socket.write(bytes === '' ? 'x' : bytes);
          socket.resetAndDestroy();
        } else {
          socket.write(bytes === '' ? 'x' : bytes);
          await new Promise((resolve) => setTimeout(resolve, delay));
          if (how === 'reset') socket.resetAndDestroy();
          else {
            socket.end();
            setTimeout(() => socket.destroy(), 20);
          }
        }
        await closed;
      }
    }
    expect((await json('/health/live')).status).toBe(200);
    expect(errors.total).toBe(0);
  },
);

test('status tells leaders, Brokers, discovery and the redacted configuration', async () => {
  const [a, b] = [node('a:8081', 1), node('b:8082', 5)];
  cluster.show({
    complete: true,
    readAt: now,
    leaders: { ...cluster.view.leaders, coordinator: serving('coordinator', a, 12, now) },
    brokers: [
      {
        node: b,
        service: 'druid/broker',
        ready: false,
        cordoned: false,
        ejected: false,
        why: 'announced, but not ready',
      },
    ],
  });
  discovery.become({ state: 'suspended', since: 0, detail: 'connection reset' });
  now += 1500;
  draining = true;
  expect(await json('/status')).toEqual({
    status: 200,
    body: {
      version: '1.2.3',
      uptime: 1.5,
      draining: true,
      complete: true,
      leaders: {
        coordinator: {
          state: 'serving',
          node: 'a:8081',
          term: 12,
          age: 1.5,
          knownBy: 'both',
          waitReason: null,
          rivals: [],
          outstanding: 1,
        },
        overlord: {
          state: 'none',
          node: null,
          term: null,
          age: 1001.5,
          knownBy: 'nothing',
          waitReason: 'no_leader',
          rivals: [],
          outstanding: 0,
        },
      },
      brokers: [
        {
          node: 'b:8082',
          service: 'druid/broker',
          ready: false,
          cordoned: false,
          ejected: false,
          why: 'announced, but not ready',
          share: 1,
          outstanding: 5,
          lastMinute: { attempts: 0, errors: 0, p50Ms: null, p99Ms: null },
        },
      ],
      cordoned: [],
      discovery: {
        kind: 'zookeeper',
        state: 'suspended',
        since: '1970-01-01T00:00:00.000Z',
        age: 1.5,
        detail: 'connection reset',
      },
      config: { zookeeper: { password: '[redacted]' } },
    },
  });
});

test('closing does not wait for a connection that is kept alive, nor for a slow scrape', async () => {
  const started = Promise.withResolvers<void>();
  render = () => {
    started.resolve();
    return new Promise(() => {});
  };
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
  await started.promise;
  const closed = once(socket, 'close');
  await app.close();
  await closed;
});

test('metrics that are asked for a thousand times in one packet are made once', async () => {
  let made = 0;
  const ready = Promise.withResolvers<void>();
  render = async () => {
    made++;
    await ready.promise;
    return 'a_metric 1\n';
  };
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1_000));
  while (made === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  ready.resolve();
  let answers = 0;
  for await (const chunk of socket.setEncoding('latin1')) {
    answers += String(chunk).split('a_metric 1').length - 1;
    if (answers === 1_000) break;
  }
  expect(answers).toBe(1_000);
  expect(made).toBeLessThan(20);
});

test('status shows the labels that nodes announce', async () => {
  const [a, b] = [node('a:8081', 1), node('b:8082', 5)];
  const state = { ready: true, cordoned: false, ejected: false, why: 'ready' };
  cluster.show({
    leaders: { ...cluster.view.leaders, coordinator: serving('coordinator', a, 12, now) },
    brokers: [{ node: b, service: 'druid/broker', ...state }],
  });
  const announced = (role: Role, hostAndPort: string, labels: readonly Label[]): Announcement => {
    return { role, hostAndPort, origin: `http://${hostAndPort}`, service: role, version: null, labels };
  };
  const announcements = {
    coordinator: [announced('coordinator', 'a:8081', [['zone', 'east']])],
    overlord: [],
    broker: [announced('broker', 'b:8082', [['__proto__', 'x']])],
  };
  discovery.snapshot = { ...discovery.snapshot, announcements };
  const { body } = await json('/status');
  expect(body).toMatchObject({ leaders: { coordinator: { labels: { zone: 'east' } } } });
  expect(body).toHaveProperty('leaders.overlord.state', 'none');
  expect(JSON.stringify(body)).toContain('"labels":{"__proto__":"x"}');
});

describe('an expectation that nobody knows', () => {
  test.each([
    ['a body that turns out malformed', 'POST /nowhere', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a length and no body', 'GET /health/live', 'Content-Length: 3\r\n\r\n'],
    ['no body', 'GET /health/live', '\r\n'],
  ])('is ignored: one answer to a request with %s', async (_, start, rest) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`${start} HTTP/1.1\r\nHost: a\r\nExpect: something\r\n${rest}`);
    let answers = '';
    socket.on('data', (chunk) => {
      answers += chunk;
      socket.end();
    });
    await once(socket, 'close');
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual([expect.not.stringContaining('417')]);
  });
});
