import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ClientSide } from '../../../src/exchange/ports/client.ts';
import { connectRaw, type RawClient } from '../../kit/clients/raw-client.ts';
import { hear, startBareDoor } from '../../kit/gateway/bare-door.ts';
import type { Harness } from '../../kit/gateway/gateway-harness.ts';

const KIB = 1024;
/** Bytes of a piece that is sent at a time. */
const PIECE = 16 * KIB;
const PIECES = 256;
/** More than what two sockets take while nobody reads. */
const WIRE_BYTES = PIECES * PIECE * '1\r\nx\r\n'.length;

let gateway: Harness;
let sender: RawClient;
let request: ClientSide;
let taken: Buffer[];
let ended: Promise<void>;

beforeEach(async () => {
  taken = [];
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise, resolve: end } = Promise.withResolvers<void>();
  ended = promise;
  gateway = await startBareDoor({
    handle: (client) => {
      client.listen(hear(client));
      client.body.deliver((chunk) => void taken.push(chunk), end);
      request = client;
      ask();
      return true;
    },
  });
  sender = await connectRaw(gateway.port);
  sender.send('POST /druid/v2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  await asked;
});

afterEach(async () => {
  sender.close();
  await gateway.close();
});

const bytes = (): number => taken.reduce((sum, { length }) => sum + length, 0);

/** Sends the body in chunks of one byte. */
function send(): void {
  const piece = '1\r\nx\r\n'.repeat(PIECE);
  for (let i = 0; i < PIECES; i++) sender.send(piece);
  sender.send('0\r\n\r\n');
}

/** Returns what the sender has left once its socket takes nothing more. */
async function settled(): Promise<number> {
  const { socket } = sender;
  for (let before = -1; socket.writableLength !== before; await sleep(500)) before = socket.writableLength;
  return socket.writableLength;
}

test('a body that nobody takes stays with its client', async () => {
  send();
  expect(await settled()).toBeGreaterThan(WIRE_BYTES / 2);
  expect(taken).toEqual([]);
});

test('a body that was stopped goes on where it was, in few pieces, and ends', async () => {
  send();
  request.body.resume();
  while (bytes() === 0) await sleep(1);
  request.body.pause();
  expect(await settled()).toBeGreaterThan(WIRE_BYTES / 2);
  const before = bytes();
  await sleep(50);
  expect(bytes()).toBe(before);
  request.body.resume();
  await ended;
  expect(bytes()).toBe(PIECES * PIECE);
  expect(taken.length).toBeLessThan(bytes() / KIB);
});
