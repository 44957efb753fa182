import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { ClientSide } from '../../../src/exchange/ports/client.ts';
import { connectRaw, exchangeRaw, type RawClient } from '../../kit/clients/raw-client.ts';
import { type Heard, hear, reply, startBareDoor } from '../../kit/gateway/bare-door.ts';
import { DOOR, OVER_TLS } from '../../kit/gateway/door.ts';
import type { Harness, HarnessOptions } from '../../kit/gateway/gateway-harness.ts';

let gateway: Harness;
/** Of all requests in the order in which they came. */
let heard: Heard[];
/** What the request with the header `X-Odd` does in the place of being answered. */
let odd: (client: ClientSide, events: Heard) => void;

const PURPOSE = new Error('on purpose');
const fail = (): never => {
  throw PURPOSE;
};

async function start(options: HarnessOptions = {}): Promise<void> {
  heard = [];
  gateway = await startBareDoor({
    handle(client) {
      const events = hear(client);
      heard.push(events);
      if (client.head.block.includes('X-Odd')) {
        odd(client, events);
        return true;
      }
      client.listen(events);
      reply(client, 200, 'served');
      return true;
    },
    ...options,
  });
}

afterEach(async () => {
  await gateway.close();
});

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const ODD = 'GET /x HTTP/1.1\r\nHost: a\r\nX-Odd: 1\r\nX-Request-Id: mine\r\n\r\n';
const UPLOAD = 'POST /x HTTP/1.1\r\nHost: a\r\nX-Odd: 1\r\nX-Request-Id: mine\r\nContent-Length: 10\r\n\r\n';

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function sent(data: string): Promise<RawClient> {
  const client = await connectRaw(gateway.port);
  client.send(data);
  return client;
}

/** Everybody else is served on. */
async function serves(): Promise<void> {
  expect((await exchangeRaw(gateway.port, GET)).body.toString()).toBe('served');
}

/** `error` was told once as one of a client's connection, with the request's id. */
function isTold(error = 'Error: on purpose'): void {
  expect(gateway.errors.lines).toMatchObject([{ place: 'client', id: 'mine', error }]);
}

describe('what the exchange throws', () => {
  test('before it listens ends the connection', async () => {
    odd = fail;
    await start();
    const client = await sent(GET + ODD);
    expect((await client.answer()).status).toBe(200);
    await client.ended();
    isTold();
    await serves();
  });

  test('once it listens fails its request, and the connection goes on', async () => {
    odd = (client, events) => {
      client.listen(events);
      fail();
    };
    await start();
    const client = await sent(ODD + GET);
    expect((await client.answer()).status).toBe(500);
    expect((await client.answer()).status).toBe(200);
    client.close();
    expect(heard[0]).toMatchObject({ internal: [PURPOSE], closes: [true] });
    expect(gateway.errors.lines).toEqual([]);
  });

  test.each<[string, (client: ClientSide) => void]>([
    ['a piece of the body', (client) => client.body.deliver(fail, () => {})],
    ['the end of the body', (client) => client.body.deliver(() => {}, fail)],
  ])('for %s fails its request, once', async (_, deliver) => {
    odd = (client, events) => {
      client.listen(events);
      deliver(client);
      client.body.resume();
    };
    await start();
    for (const pieces of [
      ['01234', '56789'],
      ['0123', '456', '789'],
    ]) {
      heard.length = 0;
      const client = await sent(UPLOAD + (pieces[0] ?? ''));
      for (const piece of pieces.slice(1)) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        client.send(piece);
      }
      expect((await client.answer()).status).toBe(500);
      client.send(GET);
      expect((await client.answer()).status).toBe(200);
      client.close();
      expect(heard[0]).toMatchObject({ internal: [PURPOSE], closes: [true] });
    }
    expect(gateway.errors.lines).toEqual([]);
  });

  test('while it fails ends the connection, and its end is told', async () => {
    odd = (client, events) => {
      client.listen({ ...events, onInternalError: fail });
      throw new Error('first');
    };
    await start();
    const client = await sent(ODD);
    await client.ended();
    isTold();
    await until(() => heard[0]?.closes.length === 1);
    expect(heard[0]?.closes).toEqual([false]);
    await serves();
  });

  test('when its answer is over ends the connection', async () => {
    odd = (client, events) => {
      client.listen({ ...events, onClose: fail });
      reply(client, 200, 'odd');
    };
    await start();
    const client = await sent(ODD);
    expect((await client.answer()).status).toBe(200);
    await client.ended();
    isTold();
    await serves();
  });

  test('when its client has left ends nothing else', async () => {
    let asked = false;
    odd = (client, events) => {
      client.listen({ ...events, onClose: fail });
      asked = true;
    };
    await start();
    const client = await sent(ODD);
    await until(() => asked);
    client.close();
    await until(() => gateway.errors.total === 1);
    isTold();
    await serves();
  });

  test.each([
    ['small', 100],
    ['long', 100_000],
    ['more than the client reads', 8_000_000],
  ])('when it gets back what it lent (%s) fails its request', async (_, length) => {
    odd = (client, events) => {
      client.listen(events);
      client.writeHead(200, '', `Content-Length: ${length + 1}\r\n`, false);
      client.write(Buffer.alloc(length), { release: fail });
      client.flush();
    };
    await start();
    const client = await sent(ODD);
    await client.ended();
    await until(() => heard[0]?.closes.length === 1);
    expect(heard[0]).toMatchObject({ internal: [PURPOSE], closes: [false] });
    expect(gateway.errors.lines).toEqual([]);
    await serves();
  });

  test('when it gets back what is owed since the client reads on', async () => {
    const big = Buffer.alloc(8_000_000);
    odd = (client, events) => {
      client.listen(events);
      client.writeHead(200, '', `Content-Length: ${big.length + 200}\r\n`, false);
      client.write(big, { release() {} });
      client.write(Buffer.alloc(100), { release: fail });
      client.flush();
    };
    await start();
    const client = await connectRaw(gateway.port);
    client.socket.pause();
    client.send(ODD);
    await until(() => heard.length === 1);
    client.socket.resume();
    await client.ended();
    await until(() => heard[0]?.closes.length === 1);
    expect(heard[0]).toMatchObject({ internal: [PURPOSE], closes: [false] });
    await serves();
  });

  test('for a target that Fastify cannot read', async () => {
    odd = fail;
    await start();
    const client = await sent(ODD.replace('/x', '/%zz').replace('X-Odd', 'TE: trailers\r\nX-Odd'));
    await client.ended();
    isTold();
    await serves();
  });

  test('in a request that waited for its turn', async () => {
    let first: ClientSide | null = null;
    odd = (client, events) => {
      if (first !== null) fail();
      first = client;
      client.listen(events);
    };
    await start();
    // Both go through `node:http`, which hands them over as they come.
    const odd2 = ODD.replace('X-Odd', 'TE: trailers\r\nX-Odd');
    const client = await sent(odd2 + odd2);
    await until(() => first !== null);
    reply(first as unknown as ClientSide, 200, 'first');
    expect((await client.answer()).body.toString()).toBe('first');
    await client.ended();
    isTold();
    await serves();
  });
});

describe('what a door throws itself', () => {
  /** Whoever looks at the clock from now on throws. */
  let broken = false;
  const now = (): number => (broken ? fail() : performance.now());

  afterEach(() => {
    broken = false;
  });

  test('for a new connection ends it', async () => {
    await start({ now });
    broken = true;
    const client = await sent(GET);
    await client.ended();
    broken = false;
    expect(gateway.errors.lines[0]).toMatchObject({ place: 'client', error: 'Error: on purpose' });
    await serves();
  });

  test('for bytes that come ends their connection', async () => {
    await start({ now });
    const client = await sent(GET);
    expect((await client.answer()).status).toBe(200);
    broken = true;
    client.send(GET);
    await client.ended();
    broken = false;
    expect(gateway.errors.lines[0]).toMatchObject({ place: 'client', error: 'Error: on purpose' });
    await serves();
  });

  test('for connections that are looked at now and then ends nothing', async () => {
    await start({ now, limits: { headersTimeoutMs: 300 } });
    const client = await sent(GET + GET.slice(0, -2));
    expect((await client.answer()).status).toBe(200);
    broken = true;
    await new Promise((resolve) => setTimeout(resolve, 500));
    broken = false;
    expect((await client.answer()).status).toBe(408);
    // The front door leaves that to `node:http`.
    if (DOOR !== 'front') expect(gateway.errors.lines[0]).toMatchObject({ place: 'client' });
    await serves();
  });

  test('behind an answer ends the connection', async () => {
    odd = (client, events) => {
      client.listen({
        ...events,
        onClose(finished) {
          events.onClose(finished);
          broken = true;
        },
      });
      reply(client, 200, 'odd');
    };
    await start({ now });
    const client = await sent(ODD);
    expect((await client.answer()).body.toString()).toBe('odd');
    // By the front door it is the next request that meets it.
    client.send(GET);
    await client.ended();
    broken = false;
    expect(heard[0]?.closes).toEqual([true]);
    expect(gateway.errors.total).toBeGreaterThan(0);
    await serves();
  });

  test.each([
    ['a CONNECT', 'CONNECT b:80 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['bytes that are not HTTP', '\0garbage\r\n\r\n'],
    ['a head that comes too late', 'GET /x HTTP/1.1\r\n'],
    ['a head that is not whole', 'GET /x HTTP/1.1\r\nHost: a\r\n'],
  ])('for the last word to %s ends that connection', async (name, data) => {
    await start({ limits: { headersTimeoutMs: 300 } });
    // Also where another socket is made of the one that was accepted.
    const { end } = Socket.prototype;
    let broken = 0;
    Socket.prototype.end = function (this: Socket, ...given: unknown[]) {
      if (this.localPort !== gateway.port) return Reflect.apply(end, this, given);
      broken++;
      return fail();
    } as typeof end;
    const client = await sent(data);
    if (name.endsWith('whole')) client.socket.end();
    await client.ended();
    Socket.prototype.end = end;
    expect(broken).toBe(1);
    expect(gateway.errors.lines).toMatchObject([{ place: 'client', error: 'Error: on purpose' }]);
    await serves();
  });

  test('for an expectation ends that connection', async () => {
    await start();
    const { server } = gateway.door.app;
    server.prependOnceListener('checkExpectation', (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead = fail;
    });
    const client = await sent('GET /x HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n');
    await client.ended();
    expect(gateway.errors.lines).toMatchObject([{ place: 'client', error: 'Error: on purpose' }]);
    await serves();
  });

  test.each([
    ['a request begins', GET],
    ['one behind a slow one begins', GET + GET],
  ])('while %s ends its connection', async (_, data) => {
    await start();
    let begun = 0;
    const count = data.split('GET').length - 1;
    // What Fastify and its hooks do stands behind this.
    gateway.door.app.server.prependListener('request', () => {
      if (++begun === count) fail();
    });
    const client = await sent(data.replaceAll('Host', 'TE: trailers\r\nHost'));
    await client.ended();
    expect(gateway.errors.lines).toMatchObject([{ place: 'client', error: 'Error: on purpose' }]);
    await serves();
  });

  test('errors of requests and answers are listened for', async () => {
    await start();
    const { server } = gateway.door.app;
    server.once('request', (request: IncomingMessage, response: ServerResponse) => {
      request.emit('error', PURPOSE);
      response.emit('error', PURPOSE);
    });
    const client = await sent(GET.replace('Host', 'TE: trailers\r\nHost'));
    expect((await client.answer()).status).toBe(200);
    server.emit('error', PURPOSE);
    client.close();
    await serves();
  });
});

describe('a request that is answered twice', () => {
  test('has its first answer, if that is whole', async () => {
    odd = (client, events) => {
      client.listen(events);
      reply(client, 200, 'first');
      setTimeout(() => reply(client, 504, 'second'), 10);
      setTimeout(() => {
        client.write(Buffer.from('third'), { release() {} });
        client.end();
        client.reset();
      }, 20);
    };
    await start();
    const client = await sent(ODD);
    expect((await client.answer()).body.toString()).toBe('first');
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.send(GET);
    expect((await client.answer()).body.toString()).toBe('served');
    client.close();
    expect(gateway.errors.lines).toEqual([]);
  });

  test('has its first answer, if that is whole and the client is still reading it', async () => {
    const length = 20_000_000;
    odd = (client, events) => {
      client.listen(events);
      reply(client, 200, 'x'.repeat(length));
      reply(client, 504, 'second');
    };
    await start();
    const client = await connectRaw(gateway.port);
    client.socket.pause();
    client.send(ODD);
    await until(() => heard[0]?.internal.length === 1);
    client.socket.resume();
    expect((await client.answer()).body.length).toBe(length);
    client.send(GET);
    expect((await client.answer()).body.toString()).toBe('served');
    client.close();
    expect(heard[0]?.closes).toEqual([true]);
  });

  test('is cut, if the first answer is not whole', async () => {
    odd = (client, events) => {
      client.listen(events);
      client.writeHead(200, '', 'Content-Length: 100\r\n', false);
      client.write(Buffer.from('half'), { release() {} });
      client.flush();
      setTimeout(() => reply(client, 504, 'second'), 10);
    };
    await start();
    const client = await sent(ODD + GET);
    // Of an encrypted connection only the end is seen.
    expect(await client.ended()).toBe(OVER_TLS ? 'end' : 'reset');
    expect(client.received().toString()).not.toContain('second');
    await until(() => heard[0]?.closes.length === 1);
    expect(heard[0]?.closes).toEqual([false]);
    expect(heard[0]?.internal).toHaveLength(1);
    expect(heard).toHaveLength(1);
    await serves();
  });
});
