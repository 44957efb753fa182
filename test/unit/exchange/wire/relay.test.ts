import { once } from 'node:events';
import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectRaw, exchangeRaw } from '../../../kit/clients/raw-client.ts';
import { OVER_TLS } from '../../../kit/gateway/door.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let broker: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  broker = await startUpstream((_, socket) => socket.write(json({ ok: true })));
  // In the middle of an answer a client cannot be asked whether it has left.
  gateway = await startHarness({ limits: { halfCloseGraceMs: 50 } });
  gateway.cluster.brokers(broker.origin);
});

afterEach(async () => {
  await gateway.close();
  await broker.close();
});

function post(body: string | Buffer, headers: readonly string[] = [], target = '/druid/v2/sql'): Buffer {
  const content = Buffer.from(body);
  const head = [
    `POST ${target} HTTP/1.1`,
    'Host: gw',
    ...headers,
    `Content-Length: ${content.length}`,
    '',
    '',
  ];
  return Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), content]);
}

const names = (lines: readonly string[]): string[] => lines.map((line) => line.split(':')[0] ?? '');

test('bytes of a request and of its answer are not touched', async () => {
  const bodies = [
    Buffer.from('{"query":"SELECT 9223372036854775807, 1.00",\n "context" : {}}'),
    gzipSync('{"query":"SELECT 1"}'),
    Buffer.from([0x3a, 0x29, 0x0a, 0x01, 0x00, 0xff, 0xfe, 0x80, 0x0d, 0x0a, 0x0d, 0x0a]),
    Buffer.alloc(300_000, 'ä€\0'),
  ];
  for (const body of bodies) {
    const answerBody = Buffer.concat([body, Buffer.from([0, 255])]);
    broker.script = (_, socket) =>
      socket.write(
        plain('200 OK', ['Content-Type: application/x-jackson-smile', 'Content-Encoding: gzip'], answerBody),
      );
    const answer = await exchangeRaw(
      gateway.port,
      post(body, ['Content-Encoding: gzip', 'content-TYPE: x/y']),
    );
    expect(broker.requests.at(-1)?.body.equals(body)).toBe(true);
    expect(answer.body.equals(answerBody)).toBe(true);
    expect(answer.header('content-encoding')).toBe('gzip');
    expect(broker.requests.at(-1)?.lines).toContain('content-TYPE: x/y');
  }
});

test('path and query go on raw', async () => {
  const target = `/druid/v2/sql/x=1/a%20b%C3%A9"{}|?q=%&&x=a+b'<>\\^`;
  await exchangeRaw(gateway.port, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
  expect(broker.requests[0]?.target).toBe(target);
});

test('headers keep their case, order and number, less those of one hop', async () => {
  await exchangeRaw(
    gateway.port,
    post('{}', [
      'X-B: 1',
      'x-a: 2',
      'X-B: 3',
      'Connection: X-Gone, keep-alive, Authorization',
      'X-Gone: secret',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'Trailer: X-T',
      'Upgrade: h2c',
      'Proxy-Connection: keep-alive',
      'Proxy-Authorization: Basic eDp5',
      'Authorization: Basic YTpi',
      'Cookie: a=b',
    ]),
  );
  const lines = broker.requests[0]?.lines ?? [];
  expect(lines.filter((line) => /^x-[ab]:/i.test(line))).toEqual(['X-B: 1', 'x-a: 2', 'X-B: 3']);
  for (const gone of [
    'x-gone',
    'keep-alive',
    'te',
    'trailer',
    'upgrade',
    'proxy-connection',
    'proxy-authorization',
  ]) {
    expect(names(lines).map((name) => name.toLowerCase())).not.toContain(gone);
  }
  expect(lines).toContain('Authorization: Basic YTpi');
  expect(lines).toContain('Cookie: a=b');
  expect(broker.requests[0]?.header('host')).toBe(broker.hostAndPort);
});

test('what a stranger says of whom it forwards for is replaced', async () => {
  await exchangeRaw(
    gateway.port,
    post('{}', [
      'X-Forwarded-For: 10.0.0.1',
      'X-Forwarded-Proto: ftp',
      'X-Forwarded-Host: evil',
      'Forwarded: for=1',
    ]),
  );
  const lines = broker.requests[0]?.lines.filter((line) => /forwarded|^via|^x-request-id/i.test(line)) ?? [];
  expect(lines.slice(0, 4)).toEqual([
    'X-Forwarded-For: 127.0.0.1',
    `X-Forwarded-Proto: ${OVER_TLS ? 'https' : 'http'}`,
    'X-Forwarded-Host: gw',
    'Via: 1.1 druid-gateway',
  ]);
  expect(lines[4]).toMatch(/^X-Request-Id: [\w.-]+$/);
});

test('a trusted peer is believed', async () => {
  const trusting = await startHarness({ exchange: { trusts: (address) => address === '127.0.0.1' } });
  try {
    trusting.cluster.brokers(broker.origin);
    await exchangeRaw(trusting.port, post('{}', ['X-Forwarded-For: 10.0.0.1', 'X-Forwarded-Proto: https']));
    expect(broker.requests[0]?.header('x-forwarded-for')).toBe('10.0.0.1, 127.0.0.1');
    expect(broker.requests[0]?.header('x-forwarded-proto')).toBe('https');
  } finally {
    await trusting.close();
  }
});

test("a client's harmless request id is kept, another is replaced", async () => {
  await exchangeRaw(gateway.port, post('{}', ['X-Request-Id: abc-1.2']));
  await exchangeRaw(gateway.port, post('{}', ['X-Request-Id: a"<script>']));
  expect(broker.requests[0]?.header('x-request-id')).toBe('abc-1.2');
  expect(broker.requests[1]?.header('x-request-id')).toMatch(/^[\w-]+$/);
});

test('headers of an answer keep case, order and duplicates, with one Date and none invented', async () => {
  const headers = [
    'Date: Mon, 01 Jan 2024 00:00:00 GMT',
    'Set-Cookie: a=1',
    'x-Odd: ü',
    'Set-Cookie: b=2',
    'Connection: X-Hop',
    'X-Hop: 1',
  ];
  broker.script = (_, socket) => socket.write(plain('200 Fine', headers, 'x'));
  const answer = await exchangeRaw(gateway.port, post('{}'));
  expect(answer.reason).toBe('Fine');
  expect(names(answer.lines)).toEqual([
    'Date',
    'Set-Cookie',
    'x-Odd',
    'Set-Cookie',
    'Content-Length',
    'Connection',
    'Keep-Alive',
  ]);
  expect(answer.headers('date')).toEqual(['Mon, 01 Jan 2024 00:00:00 GMT']);
  expect(answer.headers('x-odd')).toEqual(['ü']);
});

test('trailers are kept, and tell the record that an answer is not whole', async () => {
  const head =
    'HTTP/1.1 200 OK\r\nTrailer: X-Druid-Response-Complete\r\nX-Druid-Query-Id: q1\r\nTransfer-Encoding: chunked\r\n\r\n';
  broker.script = (request, socket) =>
    socket.write(
      `${head}3\r\n[1]\r\n0\r\nX-Druid-Response-Complete: ${request.body.toString()}\r\n${request.body.toString() === 'false' ? 'X-Error-Message: out of memory\r\n' : ''}\r\n`,
    );
  const whole = await exchangeRaw(gateway.port, post('true'));
  expect(whole.header('trailer')).toBe('X-Druid-Response-Complete');
  expect(whole.trailers).toEqual(['X-Druid-Response-Complete: true']);
  const failed = await exchangeRaw(gateway.port, post('false'));
  expect(failed.trailers).toEqual(['X-Druid-Response-Complete: false', 'X-Error-Message: out of memory']);
  const records = await gateway.recorded(2);
  expect(records.map(({ end, queryId }) => [end, queryId])).toEqual([
    ['complete', 'q1'],
    ['incomplete', 'q1'],
  ]);
});

test('an HTTP/1.0 client gets a chunked answer unchunked and without Trailer', async () => {
  broker.script = (_, socket) =>
    socket.write(
      'HTTP/1.1 200 OK\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
    );
  const answer = await exchangeRaw(gateway.port, 'GET /druid/v2/x HTTP/1.0\r\n\r\n');
  expect(answer.body.toString()).toBe('abc');
  expect(answer.header('transfer-encoding')).toBeUndefined();
  expect(answer.header('trailer')).toBeUndefined();
  expect(answer.header('connection')).toBe('close');
});

test('HEAD is asked as GET and answered with the head alone, on a connection that goes on', async () => {
  broker.script = (_, socket) => socket.write(plain('200 OK', ['X-A: 1'], 'body'));
  const client = await connectRaw(gateway.port);
  for (let i = 0; i < 2; i++) {
    client.send('HEAD /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n');
    const answer = await client.answer({ head: true });
    expect(answer.header('content-length')).toBe('4');
    expect(answer.header('x-a')).toBe('1');
  }
  expect(broker.requests.map(({ method }) => method)).toEqual(['GET', 'GET']);
  expect(client.received().length).toBe(0);
  client.close();
});

test('204 and 304 end with their head', async () => {
  const client = await connectRaw(gateway.port);
  for (const status of ['304 Not Modified', '204 No Content']) {
    broker.script = (_, socket) => socket.write(`HTTP/1.1 ${status}\r\nETag: "x"\r\n\r\n`);
    client.send(post('{}'));
    const answer = await client.answer();
    expect(`${answer.status} ${answer.reason}`).toBe(status);
    expect(answer.header('transfer-encoding')).toBeUndefined();
  }
  expect(client.received().length).toBe(0);
  client.close();
});

test('an interim answer is not taken for the answer', async () => {
  broker.script = (_, socket) => {
    socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
    socket.write(json({ final: true }));
  };
  const answer = await exchangeRaw(gateway.port, post('{}'));
  expect(answer.status).toBe(200);
  expect(answer.json()).toEqual({ final: true });
});

test('Expect: 100-continue is met once the body is wanted, and not for a refused request', async () => {
  const client = await connectRaw(gateway.port);
  client.send('POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
  while (client.received().length === 0) await once(client.socket, 'data');
  expect(client.received().toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  client.send('{}');
  expect((await client.answer()).status).toBe(200);
  expect(broker.requests[0]?.header('expect')).toBeUndefined();
  client.close();
  const refused = await connectRaw(gateway.port);
  refused.send('POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
  while (!refused.received().includes('\r\n\r\n')) await once(refused.socket, 'data');
  expect(refused.received().toString()).toMatch(/^HTTP\/1.1 404 /);
  refused.close();
  const other = await exchangeRaw(
    gateway.port,
    'POST /druid/v2 HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n',
  );
  expect(other.status).toBe(417);
});

test('a chunked upload of 50 MB streams on, at the speed of the upstream', async () => {
  const piece = Buffer.alloc(64 * 1024, 7);
  const total = 50 * 1024 * 1024;
  let taken = 0;
  let upstreamSocket: net.Socket | undefined;
  broker.onHead = (head, socket) => {
    expect(head).toMatch(/transfer-encoding: chunked/i);
    upstreamSocket = socket;
    socket.pause();
    let tail = Buffer.alloc(0);
    return (data) => {
      taken += data.length;
      tail = Buffer.concat([tail, data]).subarray(-7);
      if (tail.toString('latin1') === '\r\n0\r\n\r\n') socket.write(json({ taken: true }));
    };
  };
  const client = await connectRaw(gateway.port);
  client.send('POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  let sent = 0;
  let stalledAt = 0;
  while (sent < total) {
    const room = client.socket.write(Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')]));
    sent += piece.length;
    if (room) continue;
    const drained = once(client.socket, 'drain');
    if (stalledAt === 0 && (await Promise.race([drained, sleep(500, 'stalled')])) === 'stalled') {
      stalledAt = sent;
      expect(taken).toBeLessThan(1024 * 1024);
      upstreamSocket?.resume();
    }
    await drained;
  }
  client.send('0\r\n\r\n');
  expect((await client.answer()).json()).toEqual({ taken: true });
  expect(stalledAt).toBeGreaterThan(0);
  expect(stalledAt).toBeLessThan(20 * 1024 * 1024);
  expect(taken).toBeGreaterThan(total);
  expect((await gateway.recorded(1))[0]?.bytesIn).toBe(total);
  client.close();
});

test('a slow reader holds the upstream back and gets everything', async () => {
  const total = 40 * 1024 * 1024;
  let written = 0;
  broker.script = (_, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
    const piece = Buffer.alloc(64 * 1024, 3);
    const more = (): void => {
      while (written < total) {
        written += piece.length;
        if (!socket.write(piece)) {
          socket.once('drain', more);
          return;
        }
      }
    };
    more();
  };
  const client = await connectRaw(gateway.port);
  client.socket.pause();
  client.send(post('{}'));
  await sleep(700);
  expect(written).toBeLessThan(20 * 1024 * 1024);
  client.socket.resume();
  const answer = await client.answer();
  expect(answer.body.length).toBe(total);
  client.close();
});

test('the upstream is given up within milliseconds when the client leaves', async () => {
  for (const begun of [false, true]) {
    let socket: net.Socket | undefined;
    broker.script = (_, upstream) => {
      socket = upstream;
      if (begun) upstream.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n');
    };
    const client = await connectRaw(gateway.port);
    client.send(post('{}'));
    while (socket === undefined || (begun && client.received().length === 0)) await sleep(2);
    const closed = once(socket, 'close');
    const left = performance.now();
    client.close();
    await closed;
    expect(performance.now() - left).toBeLessThan(200);
  }
  const records = await gateway.recorded(2);
  expect(records.map(({ end, status }) => [end, status])).toEqual([
    ['client_gone', 499],
    ['client_gone', 200],
  ]);
  expect(gateway.cluster.node(broker.origin).outstanding).toBe(0);
});

test('an answer cut anywhere never ends cleanly', async () => {
  const body = Buffer.alloc(2_000, 'abcdefghij');
  const framed = Buffer.concat([
    Buffer.from(
      'HTTP/1.1 200 OK\r\nTrailer: X-Druid-Response-Complete\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n',
    ),
    body,
    Buffer.from('\r\n0\r\nX-Druid-Response-Complete: true\r\n\r\n'),
  ]);
  const sized = plain('200 OK', ['Content-Type: application/json'], body);
  for (let i = 0; i < 50; i++) {
    const answer = i % 2 === 0 ? framed : sized;
    const cut = 1 + Math.floor(Math.random() * (answer.length - 1));
    broker.script = (_, socket) => socket.end(answer.subarray(0, cut));
    const client = await connectRaw(gateway.port);
    client.send(post('{}'));
    const outcome = await client.answer().then(
      ({ status, body: got }) => (status === 502 ? 'refused' : `whole ${got.length}`),
      () => 'broken',
    );
    expect([cut, outcome === 'refused' || outcome === 'broken']).toEqual([cut, true]);
    client.close();
  }
  expect(gateway.cluster.node(broker.origin).outstanding).toBe(0);
  const records = await gateway.recorded(50);
  expect(new Set(records.map(({ end }) => end))).toContain('upstream_cut');
});

test('garbage and oversized heads from upstream become 502 in JSON', async () => {
  broker.script = (_, socket) => socket.end('SSH-2.0-OpenSSH_9\r\n\r\n');
  const garbage = await exchangeRaw(gateway.port, post('{}'));
  expect([garbage.status, garbage.json().errorCode]).toEqual([502, 'upstream_malformed']);
  broker.script = (_, socket) => socket.write(plain('200 OK', [`X-Big: ${'a'.repeat(70_000)}`], ''));
  const big = await exchangeRaw(gateway.port, post('{}'));
  expect([big.status, big.json().errorCode]).toEqual([502, 'upstream_malformed']);
  expect(big.body.toString()).not.toContain('127.0.0.1');
});

test('a large context header passes', async () => {
  broker.script = (_, socket) =>
    socket.write(plain('200 OK', [`X-Druid-Response-Context: ${'a'.repeat(30_000)}`], 'x'));
  const answer = await exchangeRaw(gateway.port, post('{}'));
  expect(answer.header('x-druid-response-context')?.length).toBe(30_000);
});

test('an upstream that does not answer in time becomes 504 in JSON', async () => {
  const hasty = await startHarness({ upstreams: { responseTimeoutMs: 300 } });
  try {
    hasty.cluster.brokers(broker.origin);
    broker.script = () => {};
    const answer = await exchangeRaw(hasty.port, post('{}'));
    expect([answer.status, answer.json().errorCode]).toEqual([504, 'upstream_timeout']);
  } finally {
    await hasty.close();
  }
});

test('an answer that stalls is cut', async () => {
  const hasty = await startHarness({ upstreams: { idleTimeoutMs: 300 } });
  try {
    hasty.cluster.brokers(broker.origin);
    broker.script = (_, socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    const client = await connectRaw(hasty.port);
    client.send(post('{}'));
    // Node cannot reset a TLS connection; the answer's framing shows that it was cut.
    expect(await client.ended()).toBe(OVER_TLS ? 'end' : 'reset');
    expect((await hasty.recorded(1))[0]?.end).toBe('upstream_cut');
  } finally {
    await hasty.close();
  }
});

test('an early answer to a large upload reaches the client', async () => {
  broker.onHead = (_, socket) => {
    socket.write(
      plain('401 Unauthorized', ['Content-Type: application/json', 'Connection: close'], '{"error":"who"}'),
    );
    return () => {};
  };
  const client = await connectRaw(gateway.port);
  client.socket.on('error', () => {});
  client.send('POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n');
  const answered = client.answer();
  for (let i = 0; i < 40; i++) {
    client.socket.write(Buffer.alloc(64 * 1024));
    await sleep(1);
  }
  expect((await answered).status).toBe(401);
  client.close();
});

test('pipelined requests are answered in order', async () => {
  broker.script = (request, socket) =>
    void setTimeout(() => socket.write(json(request.target)), request.target.endsWith('1') ? 80 : 1);
  const client = await connectRaw(gateway.port);
  client.send('GET /druid/v2/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /druid/v2/2 HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await client.answer()).body.toString()).toBe('"/druid/v2/1"');
  expect((await client.answer()).body.toString()).toBe('"/druid/v2/2"');
  client.close();
});
