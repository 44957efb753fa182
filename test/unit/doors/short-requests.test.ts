import { afterEach, describe, expect, test } from 'vitest';
import type { ClientSide } from '../../../src/exchange/ports/client.ts';
import { connectRaw } from '../../kit/clients/raw-client.ts';
import { eventually } from '../../kit/eventually.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';

const post = (body: string): string =>
  `POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe.each(['express', 'shared'] as const)('%s door', (door) => {
  let gateway: Harness;

  afterEach(() => gateway.close());

  async function start(handle: (client: ClientSide) => boolean): Promise<void> {
    gateway = await startHarness({ door, tls: false, handle });
  }

  function answer(client: ClientSide): void {
    client.writeHead(204, '', '', false);
    client.end();
  }

  test('keeps a body whose bytes are asked for after others have been read', async () => {
    const clients: ClientSide[] = [];
    await start((client) => clients.push(client) > 0);
    const bodies = ['first \xff', 'second', 'third'];
    const connections = await Promise.all(bodies.map(() => connectRaw(gateway.port)));
    for (const [i, connection] of connections.entries()) {
      connection.send(Buffer.from(post(bodies[i] ?? ''), 'latin1'));
      await eventually(async () => clients.length > i);
    }
    expect(clients.map(({ body }) => body.whole?.bytes.toString('latin1'))).toEqual(bodies);
    expect(clients.map(({ body }) => body.whole?.text)).toEqual(bodies);
    for (const client of clients) answer(client);
    for (const connection of connections) connection.close();
  });

  test('takes a head for a repeated one only with the second request', async () => {
    const repeated: boolean[] = [];
    await start((client) => {
      repeated.push(client.head.repeated !== null);
      client.body.deliver(
        () => {},
        () => answer(client),
      );
      if (client.body.whole === null) client.body.resume();
      else answer(client);
      return true;
    });
    const connection = await connectRaw(gateway.port);
    const [head, body] = [post('abc').slice(0, -3), 'abc'];
    for (let i = 1; i <= 2; i++) {
      connection.send(head);
      await eventually(async () => repeated.length === i);
      connection.send(body);
      await connection.answer();
    }
    connection.send(head + body);
    await connection.answer();
    expect(repeated).toEqual([false, true, true]);
    connection.close();
  });

  test('asks once about a request whose connection ends meanwhile', async () => {
    let asked = 0;
    await start((client) => {
      asked++;
      client.reset();
      return false;
    });
    const connection = await connectRaw(gateway.port);
    connection.send(post('abc'));
    await connection.ended();
    expect(asked).toBe(1);
  });
});
