import net from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectRaw, exchangeRaw, type RawClient } from '../../../kit/clients/raw-client.ts';
import { DOOR, OVER_TLS } from '../../../kit/gateway/door.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

const KIB = 1024;
const LIMIT_MS = 1_000;
/** The node answers small requests at once; this is for a machine that does much else. */
const AT_ONCE_MS = 1_500;

let broker: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  broker = await startUpstream(({ target }, socket) => {
    const { searchParams: asked } = new URL(target, 'http://a');
    const bytes = asked.get('bytes');
    if (asked.has('mute')) return;
    if (bytes === null) socket.write(json('small'));
    else socket.write(answerOf(Number(bytes), asked.has('chunked')));
  });
  gateway = await startHarness({
    upstreams: { responseTimeoutMs: LIMIT_MS, idleTimeoutMs: LIMIT_MS },
    exchange: { maxPerNode: 1_000 },
  });
  gateway.cluster.brokers(broker.origin);
  gateway.cluster.lead('coordinator', broker.origin);
});

afterEach(async () => {
  await gateway.close();
  await broker.close();
});

function answerOf(bytes: number, chunked: boolean): Buffer {
  const body = Buffer.alloc(bytes, 'x');
  const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`;
  const parts = [Buffer.from(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`)];
  if (!chunked) return Buffer.concat([...parts, body]);
  for (let at = 0; at < bytes; at += 100_000) {
    const part = body.subarray(at, at + 100_000);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

const QUERY = '/druid/v2/x';
/** The console's, which come by another way. */
const PAGE = '/public/x';
const get = (query: string, path = QUERY): string => `GET ${path}?${query} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** Asks for so much, and reads nothing of it for now. */
async function ask(bytes: number, chunked = false, path = QUERY): Promise<RawClient> {
  const begun = broker.requests.length;
  const client = await connectRaw(gateway.port);
  client.socket.pause();
  client.send(get(`bytes=${bytes}${chunked ? '&chunked' : ''}`, path));
  while (broker.requests.length === begun) await sleep(2);
  return client;
}

/** Until as much is on its way as there is room for. */
async function settled(): Promise<void> {
  let before = -1;
  for (let quiet = 0; quiet < 3; ) {
    let taken = 0;
    for (const { bytesWritten, writableLength } of broker.sockets) taken += bytesWritten - writableLength;
    quiet = taken === before ? quiet + 1 : 0;
    before = taken;
    await sleep(15);
  }
}

/** The status, unless it takes longer than `limitMs`. */
async function statusOf(query: string, limitMs: number, path = QUERY): Promise<number | 'late'> {
  const late = new AbortController();
  const answer = exchangeRaw(gateway.port, get(query, path)).then(({ status }) => status);
  answer.catch(() => {});
  try {
    return await Promise.race([answer, sleep(limitMs, 'late' as const, { signal: late.signal })]);
  } finally {
    late.abort();
  }
}

/** The gateway's end of the next connection that a client opens. */
function nextAtGateway(): Promise<net.Socket> {
  const { promise, resolve } = Promise.withResolvers<net.Socket>();
  const event = OVER_TLS ? 'secureConnection' : 'connection';
  const { emit } = net.Server.prototype;
  net.Server.prototype.emit = function (this: net.Server, name: string, ...values: unknown[]) {
    const address = this.address();
    if (name === event && typeof address === 'object' && address?.port === gateway.port) {
      resolve(values[0] as net.Socket);
    }
    return Reflect.apply(emit, this, [name, ...values]);
  } as typeof emit;
  return promise.finally(() => {
    Reflect.deleteProperty(net.Server.prototype, 'emit');
  });
}

// With a shared buffer it is not the accepted socket that is written to.
test.skipIf(DOOR === 'shared')(
  'an answer whose last two pieces are out is no reason to wait',
  { timeout: 30_000 },
  async () => {
    const answering = Promise.withResolvers<net.Socket>();
    const { script } = broker;
    broker.script = (_, socket) => answering.resolve(socket);
    const accepted = nextAtGateway();
    const slow = await ask(0);
    const [toClient, node] = await Promise.all([accepted, answering.promise]);
    broker.script = script;
    node.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    let sent = 0;
    /** The gateway reads it at once, and by itself. */
    const send = async (bytes: number, end = ''): Promise<void> => {
      const before = toClient.bytesWritten;
      node.write(`${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n${end}`);
      sent += bytes;
      while (toClient.bytesWritten < before + bytes) await turn();
    };
    while (toClient.writableLength === 0) {
      await send(24 * KIB);
      // The kernel may still make room.
      if (toClient.writableLength > 0) await sleep(50);
    }
    await send(12 * KIB, '0\r\n\r\n');
    expect(await statusOf('small', AT_ONCE_MS)).toBe(200);
    expect(await statusOf('mute', LIMIT_MS + AT_ONCE_MS)).toBe(504);
    slow.socket.resume();
    expect((await slow.answer()).body.length).toBe(sent);
    slow.close();
  },
);

test('a client that reads has its answers on one connection, however long they are', async () => {
  const client = await connectRaw(gateway.port);
  for (const bytes of [0, 9, 20, 100, 300, 1_000].flatMap((size) => Array<number>(10).fill(size * KIB))) {
    client.send(get(`bytes=${bytes}`));
    expect((await client.answer()).body.length).toBe(bytes);
  }
  client.close();
  expect(new Set(broker.requests.map(({ connection }) => connection)).size).toBeLessThanOrEqual(3);
});

type Step =
  | { readonly kind: 'slow'; readonly path: string; readonly bytes: number; readonly chunked: boolean }
  | { readonly kind: 'small'; readonly path: string; readonly count: number }
  /** One of the slow ones reads now, or leaves. */
  | { readonly kind: 'read' | 'leave'; readonly which: number }
  | { readonly kind: 'settled' }
  /** The node does not answer. */
  | { readonly kind: 'mute'; readonly path: string };

const mebibytes = (from: number, to: number): fc.Arbitrary<number> =>
  fc.integer({ min: from * KIB * KIB, max: to * KIB * KIB });

const path = fc.oneof(
  { weight: 2, arbitrary: fc.constant(QUERY) },
  { weight: 1, arbitrary: fc.constant(PAGE) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('slow' as const),
      path,
      bytes: fc.oneof(
        { weight: 4, arbitrary: mebibytes(2.5, 4.5) },
        { weight: 1, arbitrary: mebibytes(0, 5) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 64 * KIB }) },
      ),
      chunked: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('small' as const),
      path,
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('read' as const, 'leave' as const), which: fc.nat(20) }),
  },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'settled' }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('mute' as const), path }) },
);

test('small requests beside slow readers take as long as their node, and no limit is overrun', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 16 }), async (steps) => {
      const slow: { readonly client: RawClient; readonly bytes: number }[] = [];
      const whole: Promise<boolean>[] = [];
      const mute: Promise<number | 'late'>[] = [];
      const read = ({ client, bytes }: (typeof slow)[number]): void => {
        client.socket.resume();
        whole.push(
          client
            .answer()
            .then(({ body }) => body.length === bytes)
            .finally(client.close),
        );
      };
      try {
        for (const one of steps) {
          if (one.kind === 'slow') {
            slow.push({ client: await ask(one.bytes, one.chunked, one.path), bytes: one.bytes });
          } else if (one.kind === 'small') {
            const small = Array.from({ length: one.count }, (_, n) =>
              statusOf(`small=${n}`, AT_ONCE_MS, one.path),
            );
            expect(await Promise.all(small)).toEqual(small.map(() => 200));
          } else if (one.kind === 'settled') await settled();
          else if (one.kind === 'mute') mute.push(statusOf('mute', LIMIT_MS + AT_ONCE_MS, one.path));
          else {
            const [other] = slow.splice(one.which % Math.max(1, slow.length), 1);
            if (one.kind === 'leave') other?.client.close();
            else if (other !== undefined) read(other);
          }
        }
        expect(await Promise.all(mute)).toEqual(mute.map(() => 504));
        for (const other of slow.splice(0)) read(other);
        expect(await Promise.all(whole)).toEqual(whole.map(() => true));
        const node = gateway.cluster.node(broker.origin);
        for (let i = 0; node.outstanding > 0 && i < 200; i++) await sleep(5);
        expect(node.outstanding).toBe(0);
      } finally {
        for (const { client } of slow) client.close();
      }
    }),
    { numRuns: 25, endOnFailure: true },
  );
  // One whose answer nobody reads any more would stay; the others are kept for four seconds.
  for (let i = 0; broker.sockets.size > 0 && i < 800; i++) await sleep(10);
  expect(broker.sockets.size, 'connections to the node').toBe(0);
});
