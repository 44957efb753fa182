import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { UpstreamNode } from '../../../src/cluster/node.ts';
import type {
  UpstreamCall,
  UpstreamHandler,
  UpstreamRequest,
  Upstreams,
} from '../../../src/exchange/ports/upstream.ts';
import type { BodySink, BodyStream } from '../../../src/http/body.ts';
import { WholeBody } from '../../../src/http/body.ts';
import type { BufferLease } from '../../../src/http/buffer-lease.ts';
import { Call } from '../../../src/upstream/call.ts';
import {
  type ConnectionKeeper,
  type Endpoint,
  UpstreamConnection,
} from '../../../src/upstream/connection.ts';
import { createReadBuffers, type ReadBuffers } from '../../../src/upstream/read-buffers.ts';
import { RequestOpening } from '../../../src/upstream/request-opening.ts';
import { createUpstreams } from '../../../src/upstream/upstreams.ts';
import { type RecordedErrors, recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { makeCertificates } from '../../kit/net/certificates.ts';
import { type FakeUpstream, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

/** What of ours throws, by name, each time. */
const throwing = new Set<string>();

function fault(name: string): void {
  if (throwing.has(name)) throw new Error(name);
}

const OK = plain('200 OK', [], 'ok');
const REQUEST: UpstreamRequest = {
  method: 'GET',
  target: '/',
  headers: '',
  body: null,
  bodyLength: 0,
  fresh: false,
};

let server: FakeUpstream;
let node: UpstreamNode;
let errors: RecordedErrors;

beforeEach(async () => {
  throwing.clear();
  errors = recordErrors();
  server = await startUpstream((_, socket) => socket.write(OK));
  node = nodeAt(server.origin);
});

afterEach(async () => {
  expect(node.outstanding).toBe(0);
  await server.close();
});

function nodeAt(origin: string): UpstreamNode {
  return new UpstreamNode(origin);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const reported = (): string[] => errors.lines.map(({ place, error }) => `${place}, ${error}`);

/** Writes down what it hears, and throws where `throwing` says so. */
class Listener implements UpstreamHandler {
  readonly heard: string[] = [];
  readonly leases: BufferLease[] = [];
  keeps = false;
  call: UpstreamCall | null = null;

  onHead(): void {
    this.#hear('head');
  }
  onData(_: Buffer, lease: BufferLease): void {
    if (this.keeps) this.leases.push(lease);
    else lease.release();
    this.#hear('data');
  }
  onRest(): void {
    this.#hear('rest');
  }
  onEnd(): void {
    this.#hear('end');
  }
  onFailure({ kind }: { kind: string }): void {
    this.#hear(kind);
  }
  onBodySent(): void {
    this.#hear('sent');
  }
  onInternalError(error: unknown): void {
    this.#hear(String(error));
    fault('internal');
  }
  #hear(what: string): void {
    this.heard.push(what);
    if (throwing.has('abort')) this.call?.abort();
    fault(what);
  }
}

/** A body that throws where `throwing` says so. */
class Upload implements BodyStream {
  sink: BodySink | null = null;
  start(sink: BodySink): void {
    this.sink = sink;
    fault('start');
  }
  resume(): void {
    fault('resume');
  }
  stop(): void {
    fault('stop');
  }
  /** Until the node takes nothing more. */
  fill(): void {
    while (this.sink?.write(Buffer.alloc(65_536)));
  }
}

describe('what throws in a connection', () => {
  let pem: Buffer;
  let secure: tls.Server;
  const sockets = new Set<net.Socket>();

  beforeAll(async () => {
    const { server: file } = await makeCertificates(await mkdtemp(join(tmpdir(), 'upstream-guard-')));
    pem = await readFile(file);
    secure = tls.createServer({ key: pem, cert: pem }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      socket.on('data', () => socket.write(OK));
    });
    secure.listen(0, '127.0.0.1');
    await once(secure, 'listening');
  });

  afterAll(() => void secure.close());

  const buffers = createReadBuffers();
  const faultyBuffers: ReadBuffers = {
    small() {
      fault('buffer');
      return buffers.small();
    },
    large: () => buffers.large(),
  };
  let gone = 0;
  const keeper: ConnectionKeeper = {
    onIdle: () => fault('idle'),
    onGone() {
      gone++;
      fault('gone');
    },
  };

  beforeEach(() => {
    gone = 0;
  });

  function begin(request: Partial<UpstreamRequest> = {}, options: Partial<Endpoint> = {}) {
    let call: Call | null = null;
    const connection = new UpstreamConnection({
      place: { host: '127.0.0.1', port: server.port, tls: null, ...options },
      maxHeadBytes: 4_096,
      buffers: faultyBuffers,
      keeper,
      limits: { connectTimeoutMs: 0, keepAliveTimeoutMs: 0, responseTimeoutMs: 0, idleTimeoutMs: 0 },
      clock() {
        fault('clock');
        if (call?.sent) fault('clock of the answer');
        return 0;
      },
      errors,
    });
    const listener = new Listener();
    call = new Call(
      node,
      new RequestOpening(node.hostAndPort),
      { ...REQUEST, ...request },
      listener,
      errors,
    ).sendOn(connection);
    return { connection, listener };
  }

  async function endsWith(listener: Listener, connection: UpstreamConnection, ...last: string[]) {
    await until(() => connection.state === 'gone' && server.sockets.size === 0 && sockets.size === 0);
    expect(listener.heard.slice(-last.length)).toEqual(last);
    expect(listener.heard.filter((what) => what.startsWith('Error'))).toHaveLength(1);
    expect([reported(), gone, node.outstanding]).toEqual([[], 1, 0]);
  }

  test.for<[name: string, place: () => Partial<Endpoint>]>([
    ['plain', () => ({})],
    ['TLS', () => ({ port: (secure.address() as net.AddressInfo).port, tls: { rejectUnauthorized: false } })],
  ])('when it is there, or read, ends the attempt and is told to it: %s', async ([, place]) => {
    const first = begin({}, place());
    throwing.add('clock');
    await endsWith(first.listener, first.connection, 'Error: clock');
    throwing.clear();
    gone = 0;
    throwing.add('clock of the answer');
    const second = begin({}, place());
    await endsWith(second.listener, second.connection, 'Error: clock of the answer');
  });

  test('when it wants another buffer', async () => {
    server.script = (_, socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na');
    const { connection, listener } = begin();
    listener.keeps = true;
    throwing.add('buffer');
    await endsWith(listener, connection, 'head', 'data', 'rest', 'Error: buffer');
  });

  test('when the node reads on', async () => {
    server.onHead = (_, socket) => {
      socket.pause();
      return () => {};
    };
    const body = new Upload();
    const { connection, listener } = begin({ method: 'POST', body, bodyLength: null });
    await until(() => body.sink !== null && server.sockets.size === 1);
    body.fill();
    throwing.add('clock');
    for (const socket of server.sockets) socket.resume();
    await endsWith(listener, connection, 'Error: clock');
  });

  test('when the node ends it', async () => {
    server.script = (_, socket) => socket.write('HTTP/1.1 200 OK\r\n\r\na');
    const { connection, listener } = begin();
    await until(() => listener.heard.includes('rest'));
    throwing.add('clock');
    for (const socket of server.sockets) socket.end();
    await endsWith(listener, connection, 'rest', 'Error: clock');
  });

  test('when the body’s end is written', async () => {
    const body = new Upload();
    const { connection, listener } = begin({ method: 'POST', body, bodyLength: null });
    await until(() => body.sink !== null && server.sockets.size === 1);
    throwing.add('clock');
    body.sink?.end();
    await endsWith(listener, connection, 'Error: clock');
  });

  test('when it is lost, and nobody can be told', async () => {
    server.script = (_, socket) => socket.resetAndDestroy();
    const { connection } = begin();
    if (connection.call !== null) {
      connection.call.fail = () => {
        node.end();
        throw new Error('told');
      };
    }
    await until(() => connection.state === 'gone');
    expect(reported()).toEqual(['upstream, Error: told']);
  });

  test('when it becomes idle, before its attempt has heard of the end', async () => {
    throwing.add('idle');
    const { connection, listener } = begin();
    await endsWith(listener, connection, 'head', 'data', 'Error: idle');
  });

  test('when it is read on because a lease has come back', async () => {
    server.script = async (_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na');
      await until(() => listener.leases.length === 1);
      socket.write('b');
    };
    const { connection, listener } = begin();
    listener.keeps = true;
    await until(() => listener.leases.length === 2);
    throwing.add('clock');
    listener.leases[0]?.release();
    await endsWith(listener, connection, 'rest', 'Error: clock');
    listener.leases[1]?.release();
  });

  test('when nobody waits for an answer any more is told where errors are told', async () => {
    const { connection, listener } = begin();
    listener.keeps = true;
    await until(() => listener.heard.includes('end'));
    expect(connection.state).toBe('finishing');
    throwing.add('idle');
    listener.leases[0]?.release();
    expect([connection.state, reported()]).toEqual(['gone', ['upstream, Error: idle']]);
    expect(listener.heard.slice(-1)).toEqual(['end']);
  });

  test('when it is gone keeps nobody from hearing of that', async () => {
    server.script = (_, socket) => socket.destroy();
    throwing.add('gone');
    const { listener } = begin();
    await until(() => listener.heard.length > 0);
    expect(listener.heard).toEqual(['reset']);
    expect(reported()).toEqual(['upstream, Error: gone']);
  });
});

describe('what throws', () => {
  let upstreams: Upstreams;

  beforeEach(() => {
    upstreams = createUpstreams({
      errors,
      connectTimeoutMs: 5_000,
      responseTimeoutMs: 20_000,
      idleTimeoutMs: 20_000,
      keepAliveTimeoutMs: 20_000,
      maxHeaderBytes: 4_096,
    });
  });

  afterEach(async () => {
    throwing.clear();
    await upstreams.close();
  });

  function ask(request: Partial<UpstreamRequest> = {}, to = node): Listener {
    const listener = new Listener();
    listener.call = upstreams.send(to, { ...REQUEST, ...request }, listener);
    return listener;
  }

  /** All is as if nothing had happened. */
  async function goesOn(): Promise<void> {
    throwing.clear();
    expect(node.outstanding).toBe(0);
    const listener = ask();
    await until(() => listener.heard.includes('end'));
    expect(listener.heard).toEqual(['head', 'data', 'end']);
  }

  test.for<[callback: string, heard: string[], request?: Partial<UpstreamRequest>]>([
    ['head', ['head']],
    ['data', ['head', 'data']],
    ['rest', ['head', 'data', 'rest']],
    ['sent', ['sent'], { method: 'POST', body: WholeBody.ofBytes(Buffer.from('a')) }],
    ['sent', ['sent'], { method: 'POST', body: WholeBody.ofBytes(Buffer.alloc(100_000)) }],
  ])('in %s ends its attempt, and is told to it once', async ([callback, heard, request]) => {
    server.script = (_, socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na');
    throwing.add(callback);
    const listener = ask(request);
    await until(() => listener.heard.length > heard.length && server.sockets.size === 0);
    expect(listener.heard).toEqual([...heard, `Error: ${callback}`]);
    expect(reported()).toEqual([]);
    server.script = (_, socket) => socket.write(OK);
    await goesOn();
  });

  test('at the end leaves the connection to others, though they are already on it', async () => {
    const others: Listener[] = [];
    const listener = new Listener();
    listener.onEnd = () => {
      others.push(ask());
      throw new Error('end');
    };
    upstreams.send(node, REQUEST, listener);
    await until(() => others[0]?.heard.includes('end') === true);
    expect(listener.heard).toEqual(['head', 'data', 'Error: end']);
    expect(server.requests.map(({ connection }) => connection)).toEqual([0, 0]);
    await goesOn();
  });

  test('when told of a failure', async () => {
    server.script = (_, socket) => socket.destroy();
    throwing.add('reset');
    const listener = ask();
    await until(() => listener.heard.length === 2);
    expect(listener.heard).toEqual(['reset', 'Error: reset']);
    server.script = (_, socket) => socket.write(OK);
    await goesOn();
  });

  test('though it had given up the attempt', async () => {
    throwing.add('abort').add('head');
    const listener = ask();
    await until(() => listener.heard.length === 2);
    expect(listener.heard).toEqual(['head', 'Error: head']);
    await goesOn();
  });

  test('when told of what it has thrown is told where errors are told', async () => {
    throwing.add('head').add('internal');
    const listener = ask();
    await until(() => errors.total === 1);
    expect(listener.heard).toEqual(['head', 'Error: head']);
    expect(reported()).toEqual(['upstream, Error: internal']);
    await goesOn();
  });

  describe('in the request’s body', () => {
    async function upload(): Promise<{ body: Upload; listener: Listener }> {
      const body = new Upload();
      const listener = ask({ method: 'POST', body, bodyLength: null });
      await until(() => body.sink !== null);
      return { body, listener };
    }

    test('as it begins', async () => {
      throwing.add('start');
      const { listener } = await upload();
      await until(() => server.sockets.size === 0);
      expect(listener.heard).toEqual(['Error: start']);
      await goesOn();
    });

    test('as its pieces are counted', async () => {
      const { body, listener } = await upload();
      throwing.add('sent');
      expect(body.sink?.write(Buffer.from('a'))).toBe(false);
      expect(body.sink?.write(Buffer.from('b'))).toBe(false);
      body.sink?.end();
      expect(listener.heard).toEqual(['sent', 'Error: sent']);
      await goesOn();
    });

    test('as its pieces are counted, and as that is told', async () => {
      const { body, listener } = await upload();
      throwing.add('sent').add('internal');
      expect(body.sink?.write(Buffer.from('a'))).toBe(false);
      expect(listener.heard).toEqual(['sent', 'Error: sent']);
      expect(reported()).toEqual(['upstream, Error: internal']);
      await goesOn();
    });

    test('as it goes on', async () => {
      server.onHead = (head, socket) => {
        if (head.startsWith('GET')) return null;
        socket.pause();
        return () => {};
      };
      const { body, listener } = await upload();
      await until(() => server.sockets.size === 1);
      body.fill();
      throwing.add('resume');
      for (const socket of server.sockets) socket.resume();
      await until(() => server.sockets.size === 0);
      expect(listener.heard.slice(-2)).toEqual(['sent', 'Error: resume']);
      await goesOn();
    });

    test('as it stops at the end, or at a failure', async () => {
      const { body, listener } = await upload();
      throwing.add('stop');
      body.sink?.end();
      await until(() => listener.heard.includes('Error: stop'));
      expect(listener.heard).toEqual(['head', 'data', 'Error: stop']);
      await goesOn();
      server.script = (_, socket) => socket.destroy();
      throwing.add('stop');
      const second = await upload();
      second.body.sink?.end();
      await until(() => second.listener.heard.length > 0);
      expect(second.listener.heard).toEqual(['Error: stop']);
      server.script = (_, socket) => socket.write(OK);
      await goesOn();
      expect(reported()).toEqual([]);
    });

    test('as it stops because nobody waits any more', async () => {
      const { listener } = await upload();
      throwing.add('stop');
      listener.call?.abort();
      await until(() => server.sockets.size === 0);
      expect(listener.heard).toEqual([]);
      expect(reported()).toEqual(['upstream, Error: stop']);
      await goesOn();
    });

    test('twice', async () => {
      throwing.add('start').add('stop');
      const { listener } = await upload();
      expect(listener.heard).toEqual(['Error: start']);
      expect(reported()).toEqual(['upstream, Error: stop']);
      await goesOn();
    });
  });

  test('as the time is looked at ends that attempt alone', async () => {
    server.script = () => {};
    const slow = ask();
    const faulty = new Listener();
    const request = Object.defineProperty({ ...REQUEST }, 'responseTimeoutMs', { get: () => fault('limit') });
    throwing.add('limit');
    upstreams.send(node, request, faulty);
    expect(faulty.heard).toEqual([]);
    await until(() => faulty.heard.length === 1);
    expect(faulty.heard).toEqual(['Error: limit']);
    expect(node.outstanding).toBe(1);
    for (const socket of server.sockets) socket.write(OK);
    await until(() => slow.heard.includes('end'));
    server.script = (_, socket) => socket.write(OK);
    await goesOn();
  });

  /** Nothing can be made of it. */
  const unwritable: Partial<UpstreamRequest> = { target: Symbol('target') as unknown as string };

  test('as it is sent on a new connection', async () => {
    const listener = ask(unwritable);
    await until(() => listener.heard.length === 1);
    expect(listener.heard).toEqual(['TypeError: Cannot convert a Symbol value to a string']);
    await goesOn();
  });

  test.for<[name: string, request: Partial<UpstreamRequest>, ...faults: string[]]>([
    ['a head that cannot be written', unwritable],
    ['a body that does not begin', { method: 'POST', body: new Upload() }, 'start'],
    ['a body that neither begins nor stops', { method: 'POST', body: new Upload() }, 'start', 'stop'],
    ['bytes that nobody counts', { method: 'POST', body: WholeBody.ofBytes(Buffer.from('a')) }, 'sent'],
  ])('as it is sent on a kept connection is thrown on: %s', async ([, request, ...faults]) => {
    await goesOn();
    for (const name of faults) throwing.add(name);
    expect(() => ask(request)).toThrow();
    expect(node.outstanding).toBe(0);
    await until(() => server.sockets.size === 0);
    expect(reported()).toEqual(faults.includes('stop') ? ['upstream, Error: stop'] : []);
    await goesOn();
  });

  test('because there is no such place is thrown on, and nothing is counted', async () => {
    for (const origin of ['nowhere', '', 'http://', 'http://a:99999']) {
      const nowhere = nodeAt(origin);
      expect(() => ask({}, nowhere)).toThrow();
      expect(nowhere.outstanding).toBe(0);
    }
    await upstreams.close();
    upstreams = createUpstreams({
      errors,
      connectTimeoutMs: 5_000,
      responseTimeoutMs: 20_000,
      idleTimeoutMs: 20_000,
      keepAliveTimeoutMs: 20_000,
      maxHeaderBytes: 4_096,
      tls: { pfx: Buffer.from('none'), rejectUnauthorized: true } as never,
    });
    const secret = nodeAt(server.origin.replace('http:', 'https:'));
    expect(() => ask({}, secret)).toThrow();
    expect(secret.outstanding).toBe(0);
    await goesOn();
  });
});
