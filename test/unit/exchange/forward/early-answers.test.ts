import type net from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exchangeRaw } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

const MIB = 1024 * 1024;
const TIMES = 10;
const BODY = Buffer.alloc(5 * MIB, 'x');
const FRAMINGS = {
  length: Buffer.concat([
    Buffer.from(`POST /druid/v2 HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY.length}\r\n\r\n`),
    BODY,
  ]),
  chunks: Buffer.concat([
    Buffer.from('POST /druid/v2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'),
    Buffer.from(`${BODY.length.toString(16)}\r\n`),
    BODY,
    Buffer.from('\r\n0\r\n\r\n'),
  ]),
};
const REFUSAL = plain('401 Unauthorized', ['WWW-Authenticate: Basic'], 'who are you');

let node: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  node = await startUpstream(() => {});
  gateway = await startHarness();
  gateway.cluster.brokers(node.origin);
});

afterEach(async () => {
  await gateway.close();
  await node.close();
});

/** Refuses by the head of the request alone, and ends the connection in this way. */
function refuses(answer: string | Buffer, ends: (socket: net.Socket) => void): void {
  node.onHead = (_, socket) => {
    // Unread bytes of the request make the system reset the connection.
    socket.pause();
    socket.write(answer, () => ends(socket));
    return () => {};
  };
}

async function outcome(request: Buffer): Promise<string> {
  const { status, body } = await exchangeRaw(gateway.port, request);
  return `${status} ${body}`;
}

test.for(['length', 'chunks'] as const)(
  'a client whose body has a %s gets the answer of a node that closed without reading the body',
  async (framing) => {
    refuses(REFUSAL, (socket) => socket.destroy());
    for (let i = 0; i < TIMES; i++) {
      expect(await outcome(FRAMINGS[framing])).toBe('401 who are you');
    }
  },
);

test.for(['length', 'chunks'] as const)(
  'a client whose body has a %s gets the answer of a node that reads nothing and stays',
  async (framing) => {
    refuses(REFUSAL, () => {});
    expect(await outcome(FRAMINGS[framing])).toBe('401 who are you');
  },
);

test('a node that closes in the middle of its early answer gives the client no whole answer', async () => {
  refuses('HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\nwho', (socket) => socket.destroy());
  await expect(outcome(FRAMINGS.length)).rejects.toThrow('the connection ended (reset)');
});

test('a node that resets without an answer is a failure at once', async () => {
  node.onHead = (_, socket) => {
    socket.resetAndDestroy();
    return () => {};
  };
  const begun = performance.now();
  expect(await outcome(FRAMINGS.length)).toMatch(/^502 .*upstream_reset/s);
  expect(performance.now() - begun).toBeLessThan(900);
});
