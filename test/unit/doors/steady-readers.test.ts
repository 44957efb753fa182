import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../kit/eventually.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { startUpstream } from '../../kit/upstream/fake-upstream.ts';

/** Several times what sockets of the loopback hold. */
const LONG = 64 * 1024 * 1024;
const LIMIT_MS = 4_000;
/**
 * In bytes a second: within the limit too little for the system to take anything more, and enough for the client's
 * system to tell that it reads, which it does after some 400 KB.
 */
const PACE = 300 * 1024;

const QUERY = '/druid/v2/x';
const PAGE = '/public/x';

const WAYS = (['express', 'front'] as const).flatMap((door) =>
  [false, true].flatMap((encrypted) => [QUERY, PAGE].map((path) => ({ door, encrypted, path }))),
);
type Way = (typeof WAYS)[number];

interface Asked {
  readonly client: net.Socket;
  readonly gateway: Harness;
  close(): Promise<void>;
}

/** Asks for a long answer of which nothing is read yet. */
async function ask({ door, encrypted, path }: Way): Promise<Asked> {
  const body = Buffer.alloc(LONG, 'x');
  const node = await startUpstream((_, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LONG}\r\n\r\n`);
    socket.write(body);
  });
  const gateway = await startHarness({ door, tls: encrypted, limits: { sendTimeoutMs: LIMIT_MS } });
  gateway.cluster.brokers(node.origin);
  gateway.cluster.lead('coordinator', node.origin);
  const place = { port: gateway.port, host: '127.0.0.1' };
  const client = encrypted ? tls.connect({ ...place, rejectUnauthorized: false }) : net.connect(place);
  client.on('error', () => {});
  await once(client, encrypted ? 'secureConnect' : 'connect');
  client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  return {
    client,
    gateway,
    async close() {
      client.destroy();
      await gateway.close();
      await node.close();
    },
  };
}

describe.concurrent('of a long answer', () => {
  test.each(WAYS)(
    'who reads slowly but steadily is served: $door, encrypted $encrypted, $path',
    async (way) => {
      const { client, gateway, close } = await ask(way);
      const began = performance.now();
      client.on('data', (data: Buffer) => {
        client.pause();
        setTimeout(() => client.resume(), (data.length / PACE) * 1_000);
      });
      while (performance.now() - began < 3 * LIMIT_MS && gateway.records.length === 0) await sleep(50);
      expect(gateway.records).toEqual([]);
      await close();
    },
  );

  test.each(WAYS)('who reads nothing any more is cut: $door, encrypted $encrypted, $path', async (way) => {
    const { client, gateway, close } = await ask(way);
    await once(client, 'data');
    client.pause();
    const began = performance.now();
    await eventually(async () => gateway.records.length === 1);
    expect(gateway.records).toMatchObject([{ end: 'client_gone', status: 200 }]);
    expect(performance.now() - began).toBeLessThan(3 * LIMIT_MS);
    await close();
  });
});
