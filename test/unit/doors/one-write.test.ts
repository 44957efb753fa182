import { once } from 'node:events';
import { connect, TLSSocket } from 'node:tls';
import { expect, test, vi } from 'vitest';
import { startHarness } from '../../kit/gateway/gateway-harness.ts';
import { json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const REQUESTS = 5;

test('with TLS each answer is one write, its end included', async () => {
  const broker = await startUpstream((_, socket) => socket.write(json('ok')));
  const gateway = await startHarness({ door: 'express', tls: true });
  gateway.cluster.brokers(broker.origin);
  const write = vi.spyOn(TLSSocket.prototype, 'write');
  try {
    const client = connect({ port: gateway.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(client, 'secureConnect');
    for (let i = 0; i < REQUESTS; i++) {
      client.write('GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n');
      await once(client, 'data');
    }
    const [first, ...others] = new Set(write.mock.contexts.filter((socket) => socket !== client));
    expect([first, others]).toEqual([expect.anything(), []]);
    const written = write.mock.calls.filter((_, i) => write.mock.contexts[i] === first);
    expect(written.map(([piece]) => String(piece).slice(0, 12))).toEqual(
      Array.from({ length: REQUESTS }, () => 'HTTP/1.1 200'),
    );
    await vi.waitFor(() => expect(gateway.records).toHaveLength(REQUESTS));
    client.destroy();
  } finally {
    write.mockRestore();
    await gateway.close();
    await broker.close();
  }
});
