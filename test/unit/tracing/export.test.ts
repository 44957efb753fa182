import net from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import { loadSdk } from '../../../src/tracing/sdk.ts';
import { createTracing } from '../../../src/tracing/tracing.ts';
import { connectRaw, exchangeRaw } from '../../kit/clients/raw-client.ts';
import { startHarness } from '../../kit/gateway/gateway-harness.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { type OtlpReceiver, startOtlpReceiver } from '../../kit/tracing/otlp-receiver.ts';
import { startTracedGateway, type TracedGateway, tracingConfig } from '../../kit/tracing/traced-gateway.ts';
import { json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const ASK = 'GET /status/health HTTP/1.1\r\nHost: a\r\n\r\n';

const endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

async function receiving(): Promise<OtlpReceiver> {
  const receiver = await startOtlpReceiver();
  endings.push(() => receiver.close());
  return receiver;
}

async function tracing(url: string, keys: Readonly<Record<string, string>> = {}): Promise<TracedGateway> {
  const traced = await startTracedGateway({ url }, { keys });
  endings.push(() => traced.close());
  return traced;
}

const ask = async ({ gateway }: TracedGateway): Promise<number> =>
  (await exchangeRaw(gateway.port, ASK)).status;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const droppedBy = ({ tracing: { counts } }: TracedGateway): number =>
  Object.values(counts.dropped).reduce((sum, each) => sum + each, 0);

/** A receiver that accepts connections and says nothing. */
async function silent(): Promise<string> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endings.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

test('exports have the headers of the configuration, and are packed if they are to be', async () => {
  const receiver = await receiving();
  const traced = await tracing(`${receiver.url}/custom`, {
    OTLP__HEADERS: '["X-Scope-OrgID: druid", "Authorization: Bearer t:1"]',
    OTLP__COMPRESSION: 'gzip',
    SERVICE_NAME: 'edge',
    RESOURCE: 'deployment.environment.name=test',
  });
  await ask(traced);
  await receiver.received(1);
  const [{ url, headers } = { url: '', headers: {} }] = receiver.requests;
  expect(url).toBe('/custom');
  expect(headers).toMatchObject({
    'x-scope-orgid': 'druid',
    authorization: 'Bearer t:1',
    'content-encoding': 'gzip',
    'content-type': 'application/x-protobuf',
  });
  expect(receiver.resources[0]).toMatchObject({
    'service.name': 'edge',
    'deployment.environment.name': 'test',
  });
  await until(() => traced.tracing.counts.exported === 1);
});

test('an endpoint without a path is that of a receiver of traces', async () => {
  const receiver = await receiving();
  await ask(await tracing(receiver.url));
  await receiver.received(1);
  expect(receiver.requests[0]?.url).toBe('/v1/traces');
});

describe('a receiver that', () => {
  test('refuses costs spans, which are counted, and one line of the log', async () => {
    const receiver = await receiving();
    receiver.answer = (response) => void response.writeHead(403).end('no');
    const traced = await tracing(receiver.url);
    for (let i = 1; i <= 3; i++) {
      expect(await ask(traced)).toBe(200);
      await until(() => traced.tracing.counts.dropped.export_failed === i);
    }
    expect(traced.lines).toEqual([
      {
        level: 40,
        why: 'Forbidden',
        dropped: 1,
        msg: 'spans cannot be exported; requests are not affected',
      },
    ]);
    receiver.answer = (response) => void response.end();
    await ask(traced);
    await until(() => traced.lines.length === 2);
    expect(traced.lines[1]).toMatchObject({ level: 30, dropped: 3, msg: 'spans are exported again' });
    expect(traced.tracing.counts.exported).toBe(1);
    expect(traced.errors.total).toBe(0);
  });

  test('is silent keeps a bounded number of spans, and delays neither requests nor the end', async () => {
    const traced = await tracing(await silent(), { MAX_QUEUE: '64', OTLP__TIMEOUT: '60s' });
    const node = await startUpstream((_, socket) => socket.write(json([])));
    endings.push(() => node.close());
    traced.gateway.cluster.brokers(node.origin);
    const client = await connectRaw(traced.gateway.port);
    // Two spans each.
    const [warm, all] = [500, 5_500];
    let heap = 0;
    for (let i = 0; i < all; i++) {
      client.send('GET /druid/v2/datasources HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.answer()).status).toBe(200);
      if (i === warm) heap = used();
      traced.gateway.records.length = 0;
      node.requests.length = 0;
    }
    // What 10,000 spans take, if all were kept, is more than 20 MB.
    expect((used() - heap) / 1024 / 1024).toBeLessThan(5);
    const { dropped, exported } = traced.tracing.counts;
    expect(exported).toBe(0);
    expect(dropped.queue_full).toBeGreaterThanOrEqual(2 * all - 3 * 64);
    const begun = performance.now();
    await traced.tracing.close(100);
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(droppedBy(traced)).toBe(2 * all);
    client.close();
  });

  test('is slow gets all there is, one batch after the other', async () => {
    const receiver = await receiving();
    receiver.answer = (response) => void setTimeout(() => response.end(), 30);
    const traced = await tracing(receiver.url);
    for (let i = 0; i < 20; i++) expect(await ask(traced)).toBe(200);
    await until(() => traced.tracing.counts.exported === 20);
    expect(droppedBy(traced)).toBe(0);
  });
});

/** Bytes of the heap that are in use, once what is garbage has been collected. */
function used(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

test('what has ended is exported at the end, although its time has not come', async () => {
  const receiver = await receiving();
  const traced = await tracing(receiver.url, { DELAY: '1h' });
  for (let i = 0; i < 5; i++) await ask(traced);
  expect(receiver.spans).toEqual([]);
  await traced.tracing.close(2_000);
  expect([receiver.spans.length, traced.tracing.counts.exported]).toEqual([5, 5]);
  await ask(traced);
  expect(traced.tracing.counts.dropped.shutdown).toBe(1);
});

describe('an SDK that throws', () => {
  type Sdk = ReturnType<typeof loadSdk>;
  const sdk = loadSdk();
  const broken = (): never => {
    throw new Error('on purpose');
  };
  const withProcessor = (methods: object): Sdk => ({
    ...sdk,
    trace: { ...sdk.trace, BatchSpanProcessor: brokenProcessor(methods) } as unknown as Sdk['trace'],
  });
  const brokenProcessor = (methods: object) =>
    class {
      onStart(): void {}
      onEnd(): void {}
      async forceFlush(): Promise<void> {}
      async shutdown(): Promise<void> {}
      constructor() {
        Object.assign(this, methods);
      }
    };

  test.each<[string, Sdk]>([
    ['at the start of spans', withProcessor({ onStart: broken })],
    ['at their end', withProcessor({ onEnd: broken })],
    ['at its own', withProcessor({ shutdown: broken })],
    ['when it reads a context', { ...sdk, api: { ...sdk.api, createTraceState: broken } }],
    [
      'when it exports',
      {
        ...sdk,
        exporter: {
          OTLPTraceExporter: class {
            export = broken;
            shutdown = broken;
          },
        } as unknown as Sdk['exporter'],
      },
    ],
  ])('%s costs spans, and no request', async (_, sdk) => {
    const errors = recordErrors();
    const config = tracingConfig({ DELAY: '10ms' });
    const made = createTracing({ config, logger: { warn() {}, info() {} }, errors, sdk });
    const tracer = made.tracer({ ratio: 1, followParent: true });
    const gateway = await startHarness({ deps: (own) => ({ ...own, tracer }) });
    const node = await startUpstream((_, socket) => socket.write(json([])));
    gateway.cluster.brokers(node.origin);
    const head = `GET /druid/v2/datasources HTTP/1.1\r\nHost: a\r\ntraceparent: 00-${'a'.repeat(32)}-${'b'.repeat(16)}-01\r\ntracestate: a=b\r\n\r\n`;
    for (let i = 0; i < 200; i++) expect((await exchangeRaw(gateway.port, head)).status).toBe(200);
    await gateway.recorded(200);
    await made.close(100);
    await gateway.close();
    await node.close();
    expect(gateway.errors.total).toBe(0);
    // Not each of them: they would fill the log, and have the process taken for sick.
    expect(errors.total).toBeLessThan(5);
    expect(errors.total).toBe(errors.counts.tracing);
  });
});
