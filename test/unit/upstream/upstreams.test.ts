import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import tls from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { UpstreamNode } from '../../../src/cluster/node.ts';
import type { UpstreamCall, UpstreamRequest, Upstreams } from '../../../src/exchange/ports/upstream.ts';
import type { BodySink, BodyStream } from '../../../src/http/body.ts';
import { WholeBody } from '../../../src/http/body.ts';
import type { BufferLease } from '../../../src/http/buffer-lease.ts';
import { createUpstreams, type UpstreamOptions } from '../../../src/upstream/upstreams.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { type Certificates, makeCertificates } from '../../kit/net/certificates.ts';
import { type FakeUpstream, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const OPTIONS: UpstreamOptions = {
  errors: recordErrors(),
  connectTimeoutMs: 5_000,
  responseTimeoutMs: 20_000,
  idleTimeoutMs: 20_000,
  keepAliveTimeoutMs: 20_000,
  maxHeaderBytes: 4_096,
};

const OK = plain('200 OK', [], 'ok');

let server: FakeUpstream;
let node: UpstreamNode;
let upstreams: Upstreams;

beforeEach(async () => {
  server = await startUpstream((_, socket) => socket.write(OK));
  node = nodeAt(server.origin);
  upstreams = createUpstreams(OPTIONS);
});

afterEach(async () => {
  await upstreams.close();
  expect(node.outstanding).toBe(0);
  await server.close();
});

function nodeAt(origin: string): UpstreamNode {
  return new UpstreamNode(origin);
}

async function use(options: Partial<UpstreamOptions>): Promise<void> {
  await upstreams.close();
  upstreams = createUpstreams({ ...OPTIONS, ...options });
}

interface Asked {
  readonly call: UpstreamCall;
  /** The status with the body, or why there is none. */
  readonly result: Promise<string>;
  readonly headed: Promise<void>;
}

type Take = (chunk: Buffer, lease: BufferLease) => void;

function ask(request: Partial<UpstreamRequest> = {}, take?: Take, to = node): Asked {
  const { promise: result, resolve } = Promise.withResolvers<string>();
  const { promise: headed, resolve: head } = Promise.withResolvers<void>();
  let text = '';
  const call = upstreams.send(
    to,
    { method: 'GET', target: '/', headers: '', body: null, bodyLength: 0, fresh: false, ...request },
    {
      onHead({ status }) {
        text = `${status} `;
        head();
      },
      onData(chunk, lease) {
        if (take !== undefined) {
          take(chunk, lease);
          return;
        }
        text += chunk.toString('latin1');
        lease.release();
      },
      onRest() {},
      onEnd: (trailers) => resolve(text + trailers),
      onFailure: ({ kind, answered }) => resolve(`${kind}${answered ? ', answered' : ''}`),
      onBodySent() {},
      onInternalError(error) {
        throw error;
      },
    },
  );
  return { call, result, headed };
}

/** A body of which pieces come when the test says so. */
class Upload implements BodyStream {
  sink: BodySink | null = null;
  resumed = 0;
  stopped = false;
  start(sink: BodySink): void {
    this.sink = sink;
  }
  resume(): void {
    this.resumed++;
  }
  stop(): void {
    this.stopped = true;
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('an answer that cannot be trusted', () => {
  const BAD: readonly [name: string, bytes: string][] = [
    ['two framings', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
    ['garbage', '\x16\x03\x01\r\n\r\n'],
    ['a head beyond the limit', `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(5_000)}\r\n\r\n`],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n'],
    ['a negative chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n'],
    ['a chunk of 64 bits', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1ffffffff\r\n'],
    [
      'trailers beyond the limit',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ${'b'.repeat(5_000)}\r\n\r\n`,
    ],
  ];

  test.for(BAD)('with %s is none, and its connection ends', async ([, bytes]) => {
    server.script = (_, socket) => socket.write(Buffer.from(bytes, 'latin1'));
    expect(await ask().result).toBe('malformed, answered');
    await until(() => server.sockets.size === 0);
    server.script = (_, socket) => socket.write(OK);
    expect(await ask().result).toBe('200 ok');
    expect(server.requests.map(({ connection }) => connection)).toEqual([0, 1]);
  });
});

describe('a connection', () => {
  test('is used again after an answer that is whole', async () => {
    for (let i = 0; i < 3; i++) expect(await ask().result).toBe('200 ok');
    expect(server.requests.map(({ connection }) => connection)).toEqual([0, 0, 0]);
  });

  test.for<[name: string, answer: string]>([
    ['bytes after its end', `${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`],
    ['the word that it closes', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['an older version', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ])('is not, after an answer with %s', async ([, answer]) => {
    server.script = (_, socket) => socket.write(answer);
    expect(await ask().result).toBe('200 ok');
    server.script = (_, socket) => socket.write(OK);
    expect(await ask().result).toBe('200 ok');
    expect(server.requests.map(({ connection }) => connection)).toEqual([0, 1]);
  });

  test('on which something comes that nobody asked for ends, and no request gets it', async () => {
    await ask().result;
    for (const socket of server.sockets) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    await until(() => server.sockets.size === 0);
    expect(await ask().result).toBe('200 ok');
  });

  test('is for one request alone where that must not meet a kept one', async () => {
    await ask().result;
    await ask({ fresh: true }).result;
    expect(server.requests.map(({ connection }) => connection)).toEqual([0, 1]);
    expect(server.requests[1]?.header('connection')).toBe('close');
    await until(() => server.sockets.size === 1);
  });

  test('that has been idle for its time ends', async () => {
    await use({ keepAliveTimeoutMs: 100 });
    await ask().result;
    await until(() => server.sockets.size === 0);
  });

  test('ends before the node would, by the node’s own word', async () => {
    server.script = (_, socket) => socket.write(plain('200 OK', ['Keep-Alive: timeout=1'], 'ok'));
    await ask().result;
    await until(() => server.sockets.size === 0);
  });

  test('that was kept and ends without a byte of an answer is stale; with one, or a new one, it is not', async () => {
    await ask().result;
    server.script = (_, socket) => socket.destroy();
    expect(await ask().result).toBe('stale');
    expect(await ask().result).toBe('reset');
    server.script = (_, socket) => socket.write(OK);
    await ask().result;
    server.script = (_, socket) => socket.end('HTTP/1.1 2');
    expect(await ask().result).toBe('reset, answered');
  });

  test('to a node that is known no more ends: idle ones now, others after their answer', async () => {
    const { promise: asked, resolve } = Promise.withResolvers<net.Socket>();
    await ask().result;
    await ask({ fresh: false }).result;
    server.script = (_, socket) => resolve(socket);
    const running = ask();
    const socket = await asked;
    server.script = (_, other) => other.write(OK);
    await ask().result;
    expect(server.sockets.size).toBe(2);
    upstreams.retain(new Map());
    await until(() => server.sockets.size === 1);
    socket.write(OK);
    expect(await running.result).toBe('200 ok');
    await until(() => server.sockets.size === 0);
  });
});

/** What a reader keeps who does not get on. */
class Keeping {
  readonly leases: BufferLease[] = [];
  take: Take = (_, lease) => void this.leases.push(lease);
  giveBack(): void {
    for (const lease of this.leases.splice(0)) lease.release();
  }
}

/** Answers with two parts, each read for itself: when both are out, the answer is over and nothing more is read. */
function inTwo(socket: net.Socket, kept: Keeping): void {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n${'a'.repeat(10)}`);
  void until(() => kept.leases.length === 1).then(() => socket.write('b'.repeat(10)));
}

describe('a connection whose answer is whole but has not been taken', { timeout: 10_000 }, () => {
  let kept: Keeping;

  beforeEach(async () => {
    await use({ responseTimeoutMs: 1_000 });
    kept = new Keeping();
    server.script = (_, socket) => inTwo(socket, kept);
    expect(await ask({}, kept.take).result).toBe('200 ');
    expect(kept.leases.length).toBe(2);
    server.script = (_, socket) => socket.write(OK);
  });

  afterEach(() => kept.giveBack());

  test('is not for the next request, but for those after it has been taken', async () => {
    expect(await ask().result).toBe('200 ok');
    const [lease] = kept.leases.splice(0, 1);
    lease?.release();
    expect(await Promise.all([ask().result, ask().result])).toEqual(['200 ok', '200 ok']);
    kept.giveBack();
    expect(await Promise.all([ask().result, ask().result, ask().result])).toHaveLength(3);
    expect(server.requests.map(({ connection }) => connection).sort()).toEqual([0, 0, 1, 1, 1, 2, 2]);
  });

  test('ends when the node ends it', async () => {
    for (const socket of server.sockets) socket.end();
    await until(() => server.sockets.size === 0);
    expect(await ask().result).toBe('200 ok');
  });

  test('ends when something comes that nobody asked for', async () => {
    for (const socket of server.sockets) socket.write(OK);
    await until(() => server.sockets.size === 0);
  });

  test.each([
    ['a second, however long one is kept', 60_000, 900, 3_000],
    ['the time for which one is kept, if that is less', 100, 90, 900],
  ])('ends after %s', async (_, keepAliveTimeoutMs, least, most) => {
    await use({ keepAliveTimeoutMs });
    const slow = new Keeping();
    server.script = (_, socket) => inTwo(socket, slow);
    expect(await ask({}, slow.take).result).toBe('200 ');
    const whole = performance.now();
    await until(() => server.sockets.size === 0);
    const lasted = performance.now() - whole;
    expect([lasted > least, lasted < most, lasted]).toEqual([true, true, lasted]);
    slow.giveBack();
    server.script = (_, socket) => socket.write(OK);
    expect(await ask().result).toBe('200 ok');
  });

  test('to a node that is known no more ends when it has been taken', async () => {
    upstreams.retain(new Map());
    expect(server.sockets.size).toBe(1);
    kept.giveBack();
    await until(() => server.sockets.size === 0);
  });
});

test('a connection whose request has not been taken is not for the next one', {
  timeout: 10_000,
}, async () => {
  const body = Buffer.alloc(20_000_000);
  let left = body.length;
  server.onHead = (head, socket) => {
    if (head.startsWith('GET')) return null;
    socket.pause();
    socket.write(OK);
    return (data) => {
      left -= data.length;
      if (left < 0) socket.write(OK);
    };
  };
  const early = server.sockets;
  expect(await ask({ method: 'POST', body: WholeBody.ofBytes(body), bodyLength: body.length }).result).toBe(
    '200 ok',
  );
  const [first] = early;
  expect(await ask().result).toBe('200 ok');
  expect(early.size).toBe(2);
  first?.resume();
  await until(() => left === 0);
  // It is looked at from time to time.
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await Promise.all([ask().result, ask().result])).toEqual(['200 ok', '200 ok']);
  expect([early.size, left < 0]).toEqual([2, true]);
});

describe('a request with a body', () => {
  test('that is answered before it is whole: the answer is good, the connection is not', async () => {
    server.onHead = (head, socket) => {
      if (head.startsWith('GET')) return null;
      socket.write(plain('413 Payload Too Large', [], 'no'));
      return () => {};
    };
    const body = new Upload();
    const { result } = ask({ method: 'POST', body, bodyLength: 1_000 });
    await until(() => body.sink !== null);
    body.sink?.write(Buffer.from('abc'));
    expect(await result).toBe('413 no');
    expect(body.stopped).toBe(true);
    await until(() => server.sockets.size === 0);
    expect(await ask().result).toBe('200 ok');
  });

  test('does not end with a piece of no bytes', async () => {
    const body = new Upload();
    const { result } = ask({ method: 'POST', body, bodyLength: null });
    await until(() => body.sink !== null);
    for (const piece of ['', 'a', '', 'bc', '']) expect(body.sink?.write(Buffer.from(piece))).toBe(true);
    body.sink?.end();
    expect(await result).toBe('200 ok');
    expect(await ask().result).toBe('200 ok');
    expect(server.requests.map(({ body }) => String(body))).toEqual(['abc', '']);
  });

  test('is chunked where its length is not known, and counted where it is', async () => {
    for (const bodyLength of [null, 3]) {
      const body = new Upload();
      const { result } = ask({ method: 'POST', body, bodyLength });
      await until(() => body.sink !== null);
      body.sink?.write(Buffer.from('abc'));
      body.sink?.end();
      expect(await result).toBe('200 ok');
    }
    expect(server.requests.map(({ chunked, body }) => [chunked, body.toString()])).toEqual([
      [true, 'abc'],
      [false, 'abc'],
    ]);
  });

  test('waits while the node takes nothing', async () => {
    server.onHead = (_, socket) => {
      socket.pause();
      return () => {};
    };
    const body = new Upload();
    const { call } = ask({ method: 'POST', body, bodyLength: null });
    await until(() => body.sink !== null);
    let written = 0;
    // What the kernel takes in between has an end.
    for (;;) {
      if (body.sink?.write(Buffer.alloc(65_536)) === true) continue;
      const before: number = body.resumed;
      written++;
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (body.resumed === before) break;
    }
    expect(written).toBeLessThan(1_000);
    for (const socket of server.sockets) socket.resume();
    const before = body.resumed;
    await until(() => body.resumed > before);
    call.abort();
  });

  test('whose client is slow has all the time, and its node not', async () => {
    await use({ responseTimeoutMs: 200 });
    const body = new Upload();
    const { result } = ask({ method: 'POST', body, bodyLength: null });
    await until(() => body.sink !== null);
    body.sink?.write(Buffer.from('a'));
    await new Promise((resolve) => setTimeout(resolve, 600));
    server.script = () => {};
    body.sink?.end();
    expect(await result).toBe('no_answer');
    expect(server.requests.length).toBe(1);
  });
});

describe('time', () => {
  test('to connect is limited', async () => {
    await use({ connectTimeoutMs: 200 });
    // It takes the connection and says nothing of TLS.
    const silent = nodeAt(server.origin.replace('http:', 'https:'));
    expect(await ask({}, undefined, silent).result).toBe('connect');
    expect(silent.outstanding).toBe(0);
  });

  test('to the first byte of an answer is limited', async () => {
    await use({ responseTimeoutMs: 100 });
    server.script = () => {};
    expect(await ask().result).toBe('no_answer');
    await until(() => server.sockets.size === 0);
  });

  test('between two parts of an answer is limited, unless whoever reads it is the slow one', async () => {
    await use({ idleTimeoutMs: 200 });
    server.script = (_, socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
    expect(await ask().result).toBe('stalled, answered');
    server.script = (_, socket) => socket.write(plain('200 OK', [], Buffer.alloc(20_000_000)));
    const leases: BufferLease[] = [];
    let bytes = 0;
    const slow = ask({}, (chunk, lease) => {
      bytes += chunk.length;
      leases.push(lease);
    });
    await slow.headed;
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(bytes).toBeLessThan(4_000_000);
    const timer = setInterval(() => {
      for (const lease of leases.splice(0)) lease.release();
    });
    expect(await slow.result).toBe('200 ');
    clearInterval(timer);
    expect(bytes).toBe(20_000_000);
  });

  /** Sends one more byte of `text` every now and then. */
  function trickle(socket: net.Socket, text: string): void {
    let at = 0;
    const timer = setInterval(() => socket.write(text[at++ % text.length] ?? ''), 40);
    socket.on('close', () => clearInterval(timer));
  }

  const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  const LONG = 'a'.repeat(10_000);
  test.for<[name: string, begins: string, goesOn: string, kind: string]>([
    ['a head that comes byte by byte', '', `HTTP/1.1 200 OK\r\nX: ${LONG}`, 'no_answer, answered'],
    ['interim answers without end', '', 'HTTP/1.1 102 Processing\r\n\r\n', 'no_answer, answered'],
    ['a chunk’s length byte by byte', `${HEAD}1\r\na\r\n`, `2;${LONG}`, 'stalled, answered'],
    ['trailers byte by byte', `${HEAD}1\r\na\r\n0\r\n`, `A: ${LONG}`, 'stalled, answered'],
  ])('is not won by %s', { timeout: 10_000 }, async ([, begins, goesOn, kind]) => {
    await use({ responseTimeoutMs: 400, idleTimeoutMs: 400 });
    server.script = (_, socket) => {
      if (begins !== '') socket.write(begins);
      trickle(socket, goesOn);
    };
    const began = performance.now();
    expect(await ask().result).toBe(kind);
    expect(performance.now() - began).toBeLessThan(2_500);
    await until(() => server.sockets.size === 0);
  });

  test('is not won by many interim answers at once, again and again', { timeout: 10_000 }, async () => {
    await use({ responseTimeoutMs: 400 });
    server.script = (_, socket) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 103 Hints\r\n\r\n'.repeat(100)), 40);
      socket.on('close', () => clearInterval(timer));
    };
    expect(await ask().result).toBe('no_answer, answered');
  });

  test('is not won by a handshake that comes byte by byte', { timeout: 10_000 }, async () => {
    await use({ connectTimeoutMs: 400 });
    const probe = net.createServer((socket) => {
      socket.on('error', () => {});
      // The beginning of a record that is never whole.
      trickle(socket, `\x16\x03\x03\x10\x10${'\x02'.repeat(4_000)}`);
    });
    probe.listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const place = nodeAt(`https://127.0.0.1:${(probe.address() as net.AddressInfo).port}`);
    expect(await ask({}, undefined, place).result).toBe('connect');
    expect(place.outstanding).toBe(0);
    probe.close();
  });

  test('is what the node has that has begun to answer, though the request goes on', async () => {
    await use({ idleTimeoutMs: 200 });
    server.onHead = (_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
      return () => {};
    };
    const body = new Upload();
    expect(await ask({ method: 'POST', body, bodyLength: null }).result).toBe('stalled, answered');
    expect(body.stopped).toBe(true);
  });

  test('counts from the end of the request, however long that took', async () => {
    await use({ responseTimeoutMs: 600 });
    const body = new Upload();
    const { result } = ask({ method: 'POST', body, bodyLength: null });
    await until(() => body.sink !== null);
    for (let i = 0; i < 4; i++) {
      body.sink?.write(Buffer.from('a'));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    server.script = (_, socket) => void setTimeout(() => socket.write(OK), 200);
    body.sink?.end();
    expect(await result).toBe('200 ok');
  });

  test('may be another for a request that says so', async () => {
    await use({ responseTimeoutMs: 100 });
    server.script = (_, socket) => void setTimeout(() => socket.write(OK), 400);
    expect(await ask({ responseTimeoutMs: 20_000 }).result).toBe('200 ok');
  });
});

test('what is aborted at any moment is counted once, and nothing is heard of it', async () => {
  server.script = (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
    setImmediate(() => socket.write('cd'));
  };
  let heard = 0;
  const count = (): void => void heard++;
  for (let i = 0; i < 300; i++) {
    const asked = ask();
    expect(node.outstanding).toBe(1);
    for (let j = i % 12; j > 0; j--) await turn();
    asked.call.abort();
    asked.call.abort();
    const before = heard;
    void asked.result.then(count);
    await turn();
    if (heard === before) expect(node.outstanding).toBe(0);
  }
  expect(node.outstanding).toBe(0);
});

describe('a node behind TLS', () => {
  let certificates: Certificates;
  let secure: tls.Server;
  let place: UpstreamNode;

  beforeAll(async () => {
    certificates = await makeCertificates(await mkdtemp(join(tmpdir(), 'upstream-tls-')));
  });

  beforeEach(async () => {
    const pem = await readFile(certificates.server);
    secure = tls.createServer({ key: pem, cert: pem }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.write(plain('200 OK', [], Buffer.alloc(3_000_000, 'x'))));
    });
    secure.listen(0, '127.0.0.1');
    await once(secure, 'listening');
    place = nodeAt(`https://127.0.0.1:${(secure.address() as net.AddressInfo).port}`);
  });

  afterEach(async () => {
    await upstreams.close();
    secure.close();
    expect(place.outstanding).toBe(0);
  });

  test('is asked where its certificate is good, and its answer read at the reader’s speed', async () => {
    await use({ tls: { ca: await readFile(certificates.ca, 'utf8'), rejectUnauthorized: true } });
    expect((await ask({}, undefined, place).result).length).toBe('200 '.length + 3_000_000);
    const leases: BufferLease[] = [];
    let bytes = 0;
    const slow = ask(
      {},
      (chunk, lease) => {
        bytes += chunk.length;
        leases.push(lease);
      },
      place,
    );
    await slow.headed;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(bytes).toBeLessThan(1_000_000);
    const timer = setInterval(() => {
      for (const lease of leases.splice(0)) lease.release();
    });
    await slow.result;
    clearInterval(timer);
    expect(bytes).toBe(3_000_000);
  });

  test('is heard where it answers and closes before it has read the request', async () => {
    await use({ tls: { ca: await readFile(certificates.ca, 'utf8'), rejectUnauthorized: true } });
    secure.removeAllListeners('secureConnection');
    secure.on('secureConnection', (socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.pause();
        socket.write(plain('401 Unauthorized', [], 'no'), () => socket.destroy());
      });
    });
    const piece = Buffer.alloc(64 * 1024, 'x');
    for (let i = 0; i < 10; i++) {
      const body = new Upload();
      const { result } = ask({ method: 'POST', body, bodyLength: null }, undefined, place);
      await until(() => body.sink !== null);
      for (; !body.stopped; await turn()) body.sink?.write(piece);
      expect(await result).toBe('401 no');
    }
  });

  test('is not read on for the next request while its answer is out', { timeout: 10_000 }, async () => {
    await use({
      tls: { ca: await readFile(certificates.ca, 'utf8'), rejectUnauthorized: true },
      responseTimeoutMs: 1_000,
    });
    const kept = new Keeping();
    let connections = 0;
    secure.removeAllListeners('secureConnection');
    secure.on('secureConnection', (socket) => {
      let fresh = connections++ === 0;
      socket.on('error', () => {});
      socket.on('data', () => {
        if (fresh) inTwo(socket, kept);
        else socket.write(OK);
        fresh = false;
      });
    });
    expect(await ask({}, kept.take, place).result).toBe('200 ');
    expect(await ask({}, undefined, place).result).toBe('200 ok');
    kept.giveBack();
    const both = [ask({}, undefined, place).result, ask({}, undefined, place).result];
    expect(await Promise.all(both)).toEqual(['200 ok', '200 ok']);
    expect(connections).toBe(2);
  });

  test('is not, where nobody known vouches for it', async () => {
    await use({ tls: { ca: await readFile(certificates.strangerCa, 'utf8'), rejectUnauthorized: true } });
    expect(await ask({}, undefined, place).result).toBe('connect');
  });
});
