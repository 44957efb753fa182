import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ExchangeRecord } from '../../../src/exchange/ports/record.ts';
import { createRedirectPolicy } from '../../../src/routing/redirect/redirect-policy.ts';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../kit/clients/raw-client.ts';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../../kit/tracing/otlp-receiver.ts';
import {
  startTracedGateway,
  type TracedGateway,
  type TracedOptions,
} from '../../kit/tracing/traced-gateway.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const SAMPLED = `traceparent: 00-${TRACE}-${CALLER}-01\r\n`;
const UNSAMPLED = `traceparent: 00-${TRACE}-${CALLER}-00\r\n`;

let node: FakeUpstream;
let receiver: OtlpReceiver;
let traced: TracedGateway;

beforeEach(async () => {
  [node, receiver] = await Promise.all([
    startUpstream((_, socket) => socket.write(json([]))),
    startOtlpReceiver(),
  ]);
});
afterEach(async () => {
  await traced.close();
  expect(traced.errors.total).toBe(0);
  await Promise.all([node.close(), receiver.close()]);
});

async function begin(options: TracedOptions = {}): Promise<void> {
  traced = await startTracedGateway(receiver, options);
  traced.gateway.cluster.brokers(node.origin);
  traced.gateway.cluster.lead('coordinator', node.origin);
}

const send = (request: string): Promise<RawAnswer> => exchangeRaw(traced.gateway.port, request);
const get = (target: string, headers = ''): Promise<RawAnswer> =>
  send(`GET ${target} HTTP/1.1\r\nHost: druid.example.com:8888\r\n${headers}\r\n`);
const query = (headers = ''): Promise<RawAnswer> =>
  send(`POST /druid/v2/sql?secret=1 HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: 2\r\n\r\n{}`);

const recorded = async (): Promise<ExchangeRecord | undefined> => (await traced.gateway.recorded(1))[0];

/** What the node was told of its place in the trace. */
function told(request = 0): readonly string[] {
  return (node.requests[request]?.header('traceparent') ?? '').split('-');
}

const of = (kind: ReceivedSpan['kind']): ReceivedSpan[] =>
  receiver.spans.filter((span) => span.kind === kind);

test('a request of a trace is a child of its caller, and the node that of the attempt', async () => {
  await begin();
  expect(
    (await query(`${SAMPLED}tracestate: vendor=1\r\nbaggage: a=b\r\nTraceState: other=2\r\n`)).status,
  ).toBe(200);
  await receiver.received(2);
  const [server] = of('server');
  const [client] = of('client');
  expect(server).toMatchObject({
    traceId: TRACE,
    parentId: CALLER,
    state: 'vendor=1,other=2',
    name: 'POST broker query',
    failed: false,
  });
  expect(client).toMatchObject({ traceId: TRACE, parentId: server?.spanId, name: 'POST', failed: false });
  expect(told()).toEqual(['00', TRACE, client?.spanId, '01']);
  const [request] = node.requests;
  expect([request?.header('tracestate'), request?.header('baggage')]).toEqual(['vendor=1', 'a=b']);
  expect(request?.lines.filter((line) => /^traceparent/i.test(line))).toHaveLength(1);
  expect((await recorded())?.trace).toEqual({
    traceId: TRACE,
    parentSpanId: CALLER,
    spanId: server?.spanId,
  });
});

test('spans say what the log says, and neither query string nor credentials', async () => {
  await begin();
  await query('Authorization: Basic dTpwdw==\r\nCookie: c=secret\r\nUser-Agent: tests\r\n');
  await receiver.received(2);
  const [server] = of('server');
  expect(server?.parentId).toBe('');
  expect(server?.attributes).toMatchObject({
    'http.request.method': 'POST',
    'http.response.status_code': 200,
    'url.path': '/druid/v2/sql',
    'server.address': 'a',
    'client.address': '127.0.0.1',
    'network.peer.address': '127.0.0.1',
    'user_agent.original': 'tests',
    'http.request.body.size': 2,
    'druid_gateway.role': 'broker',
    'druid_gateway.class': 'query',
    'druid_gateway.attempts': 1,
    'druid_gateway.end': 'complete',
    'druid_gateway.upstream': node.hostAndPort,
  });
  expect(of('client')[0]?.attributes).toEqual({
    'http.request.method': 'POST',
    'url.full': `${node.origin}/druid/v2/sql`,
    'server.address': '127.0.0.1',
    'server.port': node.port,
    'http.response.status_code': 200,
  });
  expect(JSON.stringify(receiver.spans)).not.toMatch(/secret|dTpwdw|pw/);
  expect(receiver.resources[0]).toMatchObject({
    'service.name': 'druid-gateway',
    'service.version': expect.stringMatching(/^\d+\.\d+/),
    'service.instance.id': expect.stringMatching(/^[\da-f-]{36}$/),
    'telemetry.sdk.name': 'opentelemetry',
  });
});

test('each attempt at a node has a span, with why it failed and how many came before it', async () => {
  await begin();
  const dead = 'http://127.0.0.1:1';
  traced.gateway.cluster.brokers(dead, node.origin);
  expect((await query(SAMPLED)).status).toBe(200);
  await receiver.received(3);
  const [server] = of('server');
  const clients = of('client');
  expect(clients.map(({ parentId }) => parentId)).toEqual([server?.spanId, server?.spanId]);
  expect(clients.map(({ failed, attributes }) => [failed, attributes['error.type']])).toEqual([
    [true, 'connect'],
    [false, undefined],
  ]);
  expect(clients.map(({ attributes }) => attributes['http.request.resend_count'])).toEqual([undefined, 1]);
  expect(told()[2]).toBe(clients[1]?.spanId);
  expect(server?.attributes['druid_gateway.attempts']).toBe(2);
});

test('an answer that is not for the client is a failed attempt, and the wait after it a span', async () => {
  await begin();
  node.script = (_, socket) => {
    socket.write(node.requests.length === 1 ? plain('503 Service Unavailable', [], '') : json([]));
  };
  expect((await get('/druid/coordinator/v1/servers')).status).toBe(200);
  await receiver.received(4);
  const [server] = of('server');
  expect(
    of('client').map(({ failed, attributes }) => [failed, attributes['http.response.status_code']]),
  ).toEqual([
    [true, 503],
    [false, 200],
  ]);
  const [wait] = of('internal');
  expect(wait).toMatchObject({ name: 'wait', parentId: server?.spanId, traceId: server?.traceId });
  expect(wait?.took).toBeGreaterThan(10);
  expect(server?.attributes['druid_gateway.parked_ms']).toBeGreaterThan(10);
});

test('a request that waits for a leader says so', async () => {
  await begin();
  traced.gateway.cluster.unlead('coordinator');
  const answer = get('/druid/coordinator/v1/servers');
  while (traced.gateway.waitQueue.waiting('coordinator') === 0)
    await new Promise((done) => setTimeout(done, 2));
  traced.gateway.cluster.lead('coordinator', node.origin);
  expect((await answer).status).toBe(200);
  await receiver.received(3);
  expect(of('internal')[0]?.attributes).toEqual({ 'druid_gateway.wait.reason': 'no_leader' });
});

describe('what the gateway answers itself', () => {
  test.each([
    ['GET /status/health', 200, 'GET local', undefined],
    ['GET /druid-internal/v1/x', 404, 'GET refused', undefined],
    ['PROPFIND /druid/v2/sql', 405, 'HTTP refused', undefined],
    ['GET /druid/indexer/v1/tasks', 503, 'GET overlord read', 'no_leader'],
  ])('%s is a span of its own', async (line, status, name, error) => {
    await begin({ harness: { exchange: { maxWaitMs: 0 } } });
    const { cluster } = traced.gateway;
    cluster.unlead('overlord');
    expect((await send(`${line} HTTP/1.1\r\nHost: a\r\n\r\n`)).status).toBe(status);
    const [span] = await receiver.received(1);
    expect(span).toMatchObject({ kind: 'server', name, failed: error !== undefined });
    expect(span?.attributes['error.type']).toBe(error);
    expect(span?.attributes['http.response.status_code']).toBe(status);
    expect(node.requests).toHaveLength(0);
  });

  test('a redirect is one', async () => {
    const redirectPolicy = createRedirectPolicy({
      mode: { coordinator: 'redirect', overlord: 'redirect', broker: 'redirect' },
      methods: ['GET'],
      clients: [],
      addresses: [],
    });
    await begin({ harness: { redirectPolicy } });
    expect((await get('/druid/coordinator/v1/servers', SAMPLED)).status).toBe(307);
    const [span] = await receiver.received(1);
    expect(span).toMatchObject({ kind: 'server', parentId: CALLER, failed: false });
    expect(span?.attributes['druid_gateway.redirected']).toBe(true);
  });
});

test('a cancel has a span for each Broker that is asked', async () => {
  const other = await startUpstream((_, socket) => socket.write(plain('202 Accepted', [], '')));
  await begin();
  traced.gateway.cluster.brokers(node.origin, other.origin);
  node.script = (_, socket) => socket.write(plain('202 Accepted', [], ''));
  expect((await send(`DELETE /druid/v2/q-1 HTTP/1.1\r\nHost: a\r\n${SAMPLED}\r\n`)).status).toBe(202);
  await receiver.received(3);
  expect(of('client').map(({ attributes }) => attributes['http.request.resend_count'])).toEqual([
    undefined,
    undefined,
  ]);
  const sent = [node, other].map(({ requests }) => requests[0]?.header('traceparent')?.split('-')[2]);
  expect(sent.toSorted()).toEqual(
    of('client')
      .map(({ spanId }) => spanId)
      .toSorted(),
  );
  await other.close();
});

test('a client that leaves ends the spans, and the cancel of its query is one of them', async () => {
  await begin();
  node.script = ({ method }, socket) => {
    if (method === 'DELETE') socket.write(plain('202 Accepted', [], ''));
  };
  const body = '{"context":{"sqlQueryId":"q-1"}}';
  const client = await connectRaw(traced.gateway.port);
  client.send(
    `POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\n${SAMPLED}Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  while (node.requests.length === 0) await new Promise((done) => setTimeout(done, 2));
  client.close();
  await receiver.received(3);
  const [server] = of('server');
  expect(server?.attributes).toMatchObject({
    'http.response.status_code': 499,
    'druid_gateway.end': 'client_gone',
  });
  expect(
    of('client')
      .map(({ name, parentId }) => [name, parentId])
      .toSorted(),
  ).toEqual([
    ['DELETE', server?.spanId],
    ['POST', server?.spanId],
  ]);
  expect(of('client').find(({ name }) => name === 'POST')?.attributes['error.type']).toBe('aborted');
});

test('a page of the console and JDBC have spans, too', async () => {
  await begin();
  await get('/unified-console.html', SAMPLED);
  await send(`POST /druid/v2/sql/avatica/ HTTP/1.1\r\nHost: a\r\n${SAMPLED}Content-Length: 2\r\n\r\n{}`);
  await receiver.received(4);
  expect(of('server').map(({ name }) => name)).toEqual(['GET console read', 'POST broker jdbc']);
  expect([told(0)[2], told(1)[2]]).toEqual(of('client').map(({ spanId }) => spanId));
});

describe('what is not sampled', () => {
  test('passes as it came', async () => {
    await begin();
    await query(`${UNSAMPLED}tracestate: vendor=1\r\n`);
    expect(told()).toEqual(['00', TRACE, CALLER, '00']);
    expect((await recorded())?.trace).toEqual({ traceId: TRACE, parentSpanId: CALLER, spanId: null });
  });

  test('has a context that says so, if it had none', async () => {
    await begin({ keys: { SAMPLE_RATIO: '0' } });
    await query();
    const [version, traceId, spanId, flags] = told();
    expect([version, flags]).toEqual(['00', '00']);
    expect(traceId).toMatch(/^[\da-f]{32}$/);
    expect(spanId).toMatch(/^[\da-f]{16}$/);
    expect((await recorded())?.trace).toEqual({ traceId, parentSpanId: null, spanId: null });
  });

  test("is what the ratio leaves out, whatever the caller's flag, where that is not followed", async () => {
    await begin({ keys: { SAMPLE_RATIO: '0', FOLLOW_PARENT: 'false' } });
    await query(SAMPLED);
    expect(told()).toMatchObject(['00', TRACE, expect.not.stringContaining(CALLER), '00']);
  });

  afterEach(() => expect(receiver.spans).toEqual([]));
});

test('the ratio decides about a trace that begins here, the caller about all others', async () => {
  await begin({ keys: { SAMPLE_RATIO: '0' } });
  await query();
  await query(SAMPLED);
  expect((await receiver.received(2)).map(({ traceId }) => traceId)).toEqual([TRACE, TRACE]);
});

test.each([
  ['of version ff', `ff-${TRACE}-${CALLER}-01`],
  ['without a trace', `00-${'0'.repeat(32)}-${CALLER}-01`],
  ['in upper case', `00-${TRACE.toUpperCase()}-${CALLER}-01`],
  ['that is too long', `00-${TRACE}-${CALLER}-01-x`],
])('a context %s begins a new trace, and what stands beside it is dropped', async (_, value) => {
  await begin();
  await query(`Traceparent: ${value}\r\ntracestate: vendor=1\r\n`);
  await receiver.received(2);
  const [server] = of('server');
  expect(server).toMatchObject({ parentId: '', state: '' });
  expect(told()).toEqual(['00', server?.traceId, of('client')[0]?.spanId, '01']);
  expect(node.requests[0]?.header('tracestate')).toBeUndefined();
});

describe('without tracing', () => {
  test.each([
    [`00-${TRACE}-${CALLER}-01`, { traceId: TRACE, parentSpanId: CALLER, spanId: null }],
    [`cc-${TRACE}-${CALLER}-00-later`, { traceId: TRACE, parentSpanId: CALLER, spanId: null }],
    [`ff-${TRACE}-${CALLER}-01`, null],
    ['"} {', null],
  ])('a context %s passes as it came, and is known if it is valid', async (value, trace) => {
    await begin({ off: true });
    const lines = [`TraceParent: ${value}`, 'tracestate: vendor=1', 'b3: 0', 'baggage: a=b'];
    await query(`${lines.join('\r\n')}\r\n`);
    const [request] = node.requests;
    for (const line of lines) expect(request?.lines).toContain(line);
    expect((await recorded())?.trace).toEqual(trace);
    expect(receiver.spans).toEqual([]);
  });

  test('a request without a context gets none', async () => {
    await begin({ off: true });
    await query();
    expect(node.requests[0]?.header('traceparent')).toBeUndefined();
    expect((await recorded())?.trace).toBeNull();
  });
});

test('a context of a later version is followed, in ours', async () => {
  await begin();
  await query(`traceparent: 01-${TRACE}-${CALLER}-fb-more\r\n`);
  await receiver.received(2);
  expect(told()).toEqual(['00', TRACE, of('client')[0]?.spanId, '03']);
  expect(of('server')[0]?.parentId).toBe(CALLER);
});
