import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { readShared } from '../../../src/doors/express/shared-read.ts';
import { watchHalfClosed } from '../../../src/doors/half-closed.ts';
import { noticeVanishing } from '../../../src/doors/tcp-keep-alive.ts';
import { eventually } from '../../kit/eventually.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';

/** Linux: what its timer of a connection is for, and the seconds until it runs (proc(5), `/proc/net/tcp`). */
interface Timer {
  readonly isKeepAlive: boolean;
  readonly seconds: number;
}

/** Of its 0.01 s, as `/proc` counts time on every machine. */
const TICKS = 100;

/** The timer of the gateway's side of a connection. */
async function timerOf({ localPort, remotePort }: net.Socket): Promise<Timer | null> {
  const hex = (port = 0): string => port.toString(16).toUpperCase().padStart(4, '0');
  const lines = (await readFile('/proc/net/tcp', 'latin1')).split('\n');
  const ours = lines.find((line) => line.includes(`:${hex(remotePort)} 0100007F:${hex(localPort)} `));
  const [, kind, ticks = ''] = / (\d\d):([\dA-F]{8}) /.exec(ours ?? '') ?? [];
  return kind === undefined
    ? null
    : { isKeepAlive: kind === '02', seconds: Number.parseInt(ticks, 16) / TICKS };
}

const onLinux = describe.skipIf(process.platform !== 'linux');

onLinux.each(['express', 'shared', 'front'] as const)('%s door', (door) => {
  test('the system asks a silent client after a minute whether it is there', async () => {
    const gateway: Harness = await startHarness({ door });
    const client = net.connect(gateway.port, '127.0.0.1');
    try {
      await once(client, 'connect');
      // The gateway has the connection once it answers on it.
      client.write('GET /status/health HTTP/1.1\r\nHost: a\r\n\r\n');
      await once(client, 'data');
      // Until the client's system has acknowledged the answer, the timer is that of sending it again.
      await eventually(async () => (await timerOf(client))?.isKeepAlive === true);
      const timer = await timerOf(client);
      expect(timer?.seconds).toBeGreaterThan(50);
      expect(timer?.seconds).toBeLessThanOrEqual(60);
    } finally {
      client.destroy();
      await gateway.close();
    }
  });
});

test.each([
  ['event', (socket: net.Socket) => socket],
  [
    'shared buffer',
    (socket: net.Socket) =>
      readShared(
        socket,
        () => {},
        () => false,
      ),
  ],
])(
  'a client that has ended its side is asked sooner, and its socket stays like all others: by %s',
  async (_, reading) => {
    const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const connected = once(server, 'connection');
    const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    await once(client, 'connect');
    const [accepted] = (await connected) as [net.Socket];
    noticeVanishing(accepted);
    const socket = reading(accepted);
    try {
      const before = Reflect.ownKeys(socket);
      const request = { socket, over: false, isLast: false, mayBeAsked: false, ask() {}, abandon() {} };
      watchHalfClosed(request, 60_000, () => {});
      expect(Reflect.ownKeys(socket)).toEqual(before);
      if (process.platform === 'linux') expect((await timerOf(client))?.seconds).toBeLessThanOrEqual(10);
    } finally {
      client.destroy();
      socket.destroy();
      server.close();
    }
  },
);
