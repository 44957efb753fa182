import { expect, test } from 'vitest';
import { connectRaw } from '../../kit/clients/raw-client.ts';
import { eventually } from '../../kit/eventually.ts';
import { startHarness } from '../../kit/gateway/gateway-harness.ts';
import { startUpstream } from '../../kit/upstream/fake-upstream.ts';

const CLIENTS = 60;
const MIB = 1024 * 1024;

/** More than the loopback keeps for one connection. */
const BODY = Buffer.alloc(16 * MIB, 'x');

test.each(['express', 'front'] as const)(
  '%s door: sixty clients that read nothing keep little memory',
  async (door) => {
    const node = await startUpstream((_, socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n`);
      socket.write(BODY);
    });
    const gateway = await startHarness({ door, exchange: { maxPerNode: 100 } });
    gateway.cluster.brokers(node.origin);
    const before = process.memoryUsage().arrayBuffers;
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connectRaw(gateway.port)));
    for (const client of clients) {
      client.socket.pause();
      client.send('GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n');
    }
    let moved = -1;
    await eventually(async () => {
      const last = moved;
      moved = [...node.sockets].reduce((sum, { writableLength }) => sum + writableLength, 0);
      const { outstanding } = [...gateway.cluster.view.nodes.values()][0] ?? { outstanding: 0 };
      return node.requests.length === CLIENTS && outstanding === CLIENTS && moved === last;
    });
    // What is kept on both sides of each connection, besides buffers that are lent: some 100 KB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * MIB + CLIENTS * 0.4 * MIB);
    for (const client of clients) client.close();
    await gateway.close();
    await node.close();
  },
);
