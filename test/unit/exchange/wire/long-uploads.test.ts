import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { OVER_TLS } from '../../../kit/gateway/door.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';

const MIB = 1024 * 1024;

let node: http.Server;
let gateway: Harness;
/** How long the node pauses before it reads the next piece. */
let pauseMs = 0;

beforeEach(async () => {
  pauseMs = 0;
  node = http.createServer(async (request, response) => {
    const hash = createHash('sha256');
    for await (const piece of request) {
      hash.update(piece as Buffer);
      if (pauseMs > 0) await sleep(pauseMs);
    }
    response.end(hash.digest('hex'));
  });
  node.listen(0, '127.0.0.1');
  await once(node, 'listening');
  gateway = await startHarness();
  gateway.cluster.lead('overlord', `http://127.0.0.1:${(node.address() as AddressInfo).port}`);
});

afterEach(async () => {
  vi.restoreAllMocks();
  await gateway.close();
  node.close();
});

/** Sends the body in pieces of this size, and resolves to what the node has got of it, as a hash. */
async function upload(body: Buffer, isChunked: boolean, pieceBytes: number): Promise<string> {
  const { request } = OVER_TLS ? https : http;
  const sent = request({
    port: gateway.port,
    method: 'POST',
    path: '/druid/indexer/v1/task',
    headers: isChunked ? {} : { 'Content-Length': body.length },
    rejectUnauthorized: false,
    agent: false,
  });
  const answered = once(sent, 'response') as Promise<[http.IncomingMessage]>;
  for (let at = 0; at < body.length; at += pieceBytes) {
    if (!sent.write(body.subarray(at, at + pieceBytes))) await once(sent, 'drain');
  }
  sent.end();
  const [answer] = await answered;
  return Buffer.concat(await answer.toArray()).toString();
}

const hashOf = (body: Buffer): string => createHash('sha256').update(body).digest('hex');

test.each([
  ['with a length', false],
  ['in chunks', true],
])('long bodies %s arrive as they were sent, however fast the node reads', async (_, isChunked) => {
  for (const [pause, bytes, pieceBytes] of [
    [0, 8 * MIB + 1, 1_000_003],
    [2, 4 * MIB, 65_536],
    [0, 3 * MIB + 7, 16_384],
  ] as const) {
    pauseMs = pause;
    const bodies = Array.from({ length: 4 }, () => randomBytes(bytes));
    const got = await Promise.all(bodies.map((body) => upload(body, isChunked, pieceBytes)));
    expect(got).toEqual(bodies.map(hashOf));
  }
});

test('the memory of what has been written is given back at once', async () => {
  let freed = 0;
  const { transfer } = ArrayBuffer.prototype;
  vi.spyOn(ArrayBuffer.prototype, 'transfer').mockImplementation(function (this: ArrayBuffer, ...given) {
    freed += this.byteLength;
    return transfer.apply(this, given);
  });
  const body = randomBytes(16 * MIB);
  expect(await upload(body, false, MIB)).toBe(hashOf(body));
  // All but what came in short pieces, and what is kept until it is too long to be sent again.
  expect(freed).toBeGreaterThan(body.length / 2);
});
