import { once } from 'node:events';
import net from 'node:net';
import { expect, test } from 'vitest';
import { unacknowledged } from '../../../src/doors/unacknowledged.ts';
import { eventually } from '../../kit/eventually.ts';

test.each([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '127.0.0.1'],
  ['::1', '::1'],
])('what a client has not acknowledged is known: listening on %s, asked at %s', async (listens, host) => {
  const server = net.createServer();
  server.listen(0, listens);
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const client = net.connect({ port, host });
  client.pause();
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  expect(await unacknowledged([socket])).toEqual(new Map([[socket, 0]]));
  socket.write(Buffer.alloc(64 * 1024 * 1024));
  await eventually(async () => ((await unacknowledged([socket])).get(socket) ?? 0) > 0);
  client.destroy();
  socket.destroy();
  server.close();
});

test('a connection that is over has nothing', async () => {
  expect(await unacknowledged([new net.Socket()])).toEqual(new Map());
});
