import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { answersIn, clientHello, concurrently, connect, pause } from './client.ts';
import { answersAfter, connected, DOORS, OK, oneGateway, PATIENCE_MS } from './one-fault.ts';
import { ask } from './rig.ts';

const { start, allIsWell } = oneGateway();

describe.for([...DOORS.map((door) => [door, false] as const), ...DOORS.map((door) => [door, true] as const)])(
  'a client that asks for a tunnel and leaves, by the %s door, TLS %s',
  ([door, tls]) => {
    test('CONNECT and a reset, 50 times on each listener, end nothing', async () => {
      const { port, adminPort } = await start({ door, tls }, answersAfter(0));
      const bytes = Buffer.from('CONNECT b:80 HTTP/1.1\r\nHost: a\r\n\r\n');
      const places = [...Array(50).fill([port, tls]), ...Array(50).fill([adminPort, false])];
      await concurrently(places as [number, boolean][], 10, async ([to, encrypted]) => {
        const client = await connect(to, encrypted);
        client?.send(bytes);
        client?.leave('reset');
        client?.destroy();
      });
      await allIsWell();
    });
  },
);

describe.for(DOORS)('an answer of our own before the body has come, by the %s door', (door) => {
  test.for(['1.0', '1.1'])(
    'a parked upload by HTTP/%s whose total time passes is answered once',
    async (version) => {
      const of = await start(
        {
          door,
          keys: { UPSTREAM__TOTAL_TIMEOUT: '300ms', PARKING__MAX_WAIT: '1s', UPSTREAM__BUFFER_BODY: '16KiB' },
        },
        answersAfter(0),
      );
      await of.coordinator.close();
      const client = await connected(of.port);
      const head = `POST /druid/coordinator/v1/config HTTP/${version}\r\nHost: a\r\nContent-Type: application/json\r\n`;
      client.send(Buffer.from(`${head}Content-Length: 200000\r\n\r\n${'x'.repeat(10_000)}`));
      await client.closedWithin(4_000);
      const { statuses } = answersIn(client.received(), 'POST', client.closed);
      expect.soft(statuses).toEqual(['504']);
      client.destroy();
      expect.soft(await of.faults()).toEqual([]);
    },
  );

  test('the same with a gateway that drains: it ends with 0', async () => {
    const { port, coordinator, gateway } = await start(
      {
        door,
        keys: { UPSTREAM__TOTAL_TIMEOUT: '300ms', PARKING__MAX_WAIT: '1s', UPSTREAM__BUFFER_BODY: '16KiB' },
      },
      answersAfter(0),
    );
    await coordinator.close();
    const client = await connected(port);
    const head = 'POST /druid/coordinator/v1/config HTTP/1.1\r\nHost: a\r\n';
    client.send(Buffer.from(`${head}Content-Length: 200000\r\n\r\n${'x'.repeat(10_000)}`));
    await pause(100);
    const code = gateway.stop();
    await client.closedWithin(PATIENCE_MS);
    expect.soft(answersIn(client.received(), 'POST', client.closed).statuses).toHaveLength(1);
    client.destroy();
    expect(await code).toBe(0);
    expect(gateway.log()).not.toContain('"level":"fatal"');
  });
});

const BAD_CHUNK = '5\r\nhello!!\r\n0\r\n\r\n';
/** What is answered before its body is there. */
const EARLY: Readonly<Record<string, [line: string, status: string]>> = {
  'an unknown path': ['POST /p', '404'],
  'a method that is not allowed': ['PROPFIND /druid/v2', '405'],
  OPTIONS: ['OPTIONS /druid/v2', '204'],
  'the health': ['GET /status/health', '200'],
};

describe.for(DOORS)('one request has one answer, by the %s door', (door) => {
  test('when its body turns out malformed after it, the connection is closed without another word', async () => {
    const { port } = await start({ door }, answersAfter(0));
    await concurrently(Object.entries(EARLY), 4, async ([what, [line]]) => {
      const client = await connected(port);
      client.send(Buffer.from(`${line} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`));
      await client.until((text) => answersIn(text).statuses.length > 0, PATIENCE_MS);
      client.send(Buffer.from(BAD_CHUNK));
      expect.soft(await client.closedWithin(PATIENCE_MS), `${what}: closed`).toBe(true);
      const { statuses, rest } = answersIn(client.received());
      expect.soft([statuses.length, rest], `${what}: ${client.received()}`).toEqual([1, '']);
      client.destroy();
    });
    await allIsWell();
  });

  test('when both come in one packet, there is one answer, whichever', async () => {
    const { port } = await start({ door }, answersAfter(0));
    await concurrently(Object.entries(EARLY), 4, async ([what, [line]]) => {
      const client = await connected(port);
      client.send(
        Buffer.from(`${line} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${BAD_CHUNK}`),
      );
      expect.soft(await client.closedWithin(PATIENCE_MS), `${what}: closed`).toBe(true);
      const { statuses, rest } = answersIn(client.received());
      expect.soft([statuses.length, rest], `${what}: ${client.received()}`).toEqual([1, '']);
      client.destroy();
    });
    await allIsWell();
  });

  test('when a relayed answer is out before its upload turns out malformed', async () => {
    const of = await start({ door }, answersAfter(0));
    for (const node of of.nodes) {
      node.onHead = (head, socket) => {
        if (!head.startsWith('POST')) return null;
        socket.write(OK);
        return () => {};
      };
    }
    const client = await connected(of.port);
    client.send(
      Buffer.from(
        'POST /druid/indexer/v1/task HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
      ),
    );
    await client.until((text) => answersIn(text).statuses.length > 0, PATIENCE_MS);
    client.send(Buffer.from(BAD_CHUNK));
    expect.soft(await client.closedWithin(PATIENCE_MS)).toBe(true);
    expect.soft(answersIn(client.received()).statuses).toHaveLength(1);
    client.destroy();
    await allIsWell();
  });
});

describe.for(DOORS)('clients that come encrypted, by the %s door', (door) => {
  test('uploads that break off with a reset leave no socket behind', async () => {
    const { port } = await start({ door, tls: true }, answersAfter(0));
    await concurrently([1_000, 1_000, 1_000, 50_000_000, 50_000_000, 50_000_000], 3, async (length) => {
      const client = await connected(port, true);
      client.send(
        Buffer.from(`POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\nhalf`),
      );
      client.leave('reset');
      await client.closedWithin(PATIENCE_MS);
    });
    await allIsWell();
  });
});

describe.for(DOORS)('handshakes of TLS end, by the %s door', (door) => {
  test('connections that do not finish theirs are closed in time and take nobody’s place', async () => {
    const { port, gateway } = await start(
      { door, tls: true, keys: { LIMITS__HEADERS_TIMEOUT: '1s', LIMITS__MAX_CONNECTIONS: '10' } },
      answersAfter(0),
    );
    const hello = await clientHello();
    const plainText = Buffer.from('GET / HTTP/1.1\r\n');
    // As many as there may be.
    const beginnings = [
      ...Array<Buffer>(4).fill(Buffer.alloc(0)),
      ...Array<Buffer>(3).fill(hello.subarray(0, 11)),
      ...[hello, hello, plainText],
    ];
    const sockets = beginnings.map((bytes) => {
      const socket = net.connect({ port, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.resume();
      socket.write(bytes);
      return socket;
    });
    const closed = await Promise.all(
      sockets.map((socket) =>
        Promise.race([once(socket, 'close').then(() => true), pause(8_000).then(() => false)]),
      ),
    );
    expect.soft(closed, 'closed').toEqual(beginnings.map(() => true));
    const health = await ask(`${gateway.url}/status/health`).catch(String);
    expect.soft(health, 'others').toMatchObject({ status: 200 });
    for (const socket of sockets) socket.destroy();
    await allIsWell();
  });
});
