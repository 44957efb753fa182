import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { askStore } from '../../src/doctor/store/ask-store.ts';
import type { StoreFacts } from '../../src/doctor/store/store-facts.ts';
import { storeTarget } from '../../src/doctor/store/store-target.ts';

/** Less than what doctor has: some answers keep a driver busy until it is ended. */
const PATIENCE_MS = 1_500;

/** Asks a server that does this with each connection. */
async function askStranger(scheme: string, serve: (socket: Socket) => void): Promise<StoreFacts> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    serve(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as { port: number };
  try {
    return await askStore(storeTarget(`${scheme}://u:hunter2@127.0.0.1:${port}/druid`), PATIENCE_MS);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

const AUTHENTICATED = Buffer.from('52000000080000000053', 'hex');
const READY = Buffer.from('5a0000000549', 'hex');

/** A message of PostgreSQL's protocol: a type, a length that is right or not, and anything. */
const message = fc
  .record({
    type: fc.constantFrom(...'RSTDEZKCNAtnW1'),
    body: fc.uint8Array({ maxLength: 30 }),
    more: fc.constantFrom(0, 0, 0, 1, 2 ** 30),
  })
  .map(({ type, body, more }) => {
    const head = Buffer.alloc(5, type);
    head.writeUInt32BE(body.length + 4 + more, 1);
    return Buffer.concat([head, body]);
  });

/** A greeting of MySQL 8 that any client takes, and a packet of anything. */
const GREETING = Buffer.from(
  `4a0000000a382e302e3336000100000031323334353637380000f7210200ffc715${'00'.repeat(10)}3132333435363738393031320` +
    `06d7973716c5f6e61746976655f70617373776f726400`,
  'hex',
);
const packet = fc
  .record({ body: fc.uint8Array({ maxLength: 40 }), sequence: fc.integer({ min: 1, max: 6 }) })
  .map(({ body, sequence }) => {
    const head = Buffer.alloc(4);
    head.writeUIntLE(body.length, 0, 3);
    head[3] = sequence;
    return Buffer.concat([head, body]);
  });

const stranger = fc.oneof(
  fc.record({
    scheme: fc.constant('postgresql'),
    greeting: fc.constant(Buffer.alloc(0)),
    answers: fc.array(fc.oneof(message, fc.constant(Buffer.concat([AUTHENTICATED.subarray(0, 9), READY]))), {
      maxLength: 5,
    }),
  }),
  fc.record({
    scheme: fc.constant('mysql'),
    greeting: fc.constant(GREETING),
    answers: fc.array(packet, { maxLength: 5 }),
  }),
  fc.record({
    scheme: fc.constantFrom('postgresql', 'mysql'),
    greeting: fc.uint8Array({ maxLength: 60 }),
    answers: fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 3 }),
  }),
);

test('a server that answers anything gets a sentence, and nothing else happens', async () => {
  const told: string[] = [];
  const unhandled = (error: unknown): void => {
    told.push(String(error));
  };
  process.on('uncaughtException', unhandled);
  await fc.assert(
    fc.asyncProperty(fc.array(stranger, { minLength: 8, maxLength: 8 }), async (strangers) => {
      const began = performance.now();
      const facts = await Promise.all(
        strangers.map(({ scheme, greeting, answers }) =>
          askStranger(scheme, (socket) => {
            let i = 0;
            socket.write(greeting);
            socket.on('data', () => {
              const next = answers[i++];
              if (next === undefined) socket.end();
              else socket.write(next);
            });
          }),
        ),
      );
      expect(performance.now() - began).toBeLessThan(8_000);
      for (const { servers } of facts) {
        expect(servers[0]?.state === null ? servers[0].problem?.text : 'odd, but a server').toMatch(/./);
        expect(JSON.stringify(servers)).not.toContain('hunter2');
      }
    }),
    { numRuns: 6, interruptAfterTimeLimit: 5_000 },
  );
  process.off('uncaughtException', unhandled);
  expect(told).toEqual([]);
});

test('a server that does not stop talking is cut off', async () => {
  const piece = Buffer.alloc(1024 * 1024, 'N');
  piece.writeUInt32BE(2 ** 30, 1);
  let sent = 0;
  const { servers } = await askStranger('postgresql', (socket) => {
    socket.once('data', () => {
      const more = (): void => {
        while (!socket.destroyed && socket.write(piece)) sent += piece.length;
        sent += piece.length;
      };
      socket.write(Buffer.from('S'));
      socket.on('drain', more);
      more();
    });
  });
  expect(servers[0]?.problem).not.toBe(null);
  expect(sent).toBeLessThan(1024 * 1024 * 1024);
});
