import { once } from 'node:events';
import net from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { plain, type Script } from '../support/fake-upstream.ts';
import { answersIn, type Client, clientHello, concurrently, connect, pause } from './client.ts';
import { ask, type Rig, type RigOptions, startRig } from './rig.ts';

const DOORS = ['express', 'front'] as const;
/** Longer than any limit here. */
const PATIENCE_MS = 15_000;
const OK = plain('200 OK', ['Content-Type: application/json'], '[]');

let rig: Rig | null = null;
/** Methods and targets that nodes have seen. */
let seen: string[] = [];

beforeEach(() => {
  seen = [];
});
afterEach(async () => {
  await rig?.close();
  rig = null;
});

async function start(options: Omit<RigOptions, 'script'>, script: Script): Promise<Rig> {
  rig = await startRig({
    ...options,
    script(request, socket) {
      seen.push(`${request.method} ${request.target}`);
      if (request.method === 'DELETE') socket.write(plain('202 Accepted', [], ''));
      else script(request, socket);
    },
  });
  return rig;
}

/** Nobody else has noticed anything, and nothing is left. */
async function allIsWell(of: Rig): Promise<void> {
  expect.soft(await of.faults()).toEqual([]);
  expect.soft(await of.leftovers()).toEqual([]);
}

async function connected(port: number, tls = false): Promise<Client> {
  const client = await connect(port, tls);
  if (client === null) throw new Error('the gateway does not listen any more');
  return client;
}

/** A whole request of a client that keeps its connection; text has one character an octet. */
function request(line: string, headers: readonly string[], body = ''): Buffer {
  const lines = [`${line} HTTP/1.1`, 'Host: a', ...headers, `Content-Length: ${body.length}`, '', body];
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

const answersAfter = (milliseconds: number): Script => {
  return (_, socket) => {
    setTimeout(() => {
      if (socket.writable) socket.write(OK);
    }, milliseconds);
  };
};

/** Ids that nobody can write into a path as they are. */
const IDS = {
  'half a pair, escaped': '\\ud800',
  'the other half, escaped': 'x\\udfff',
  'half a pair, raw': '\xed\xa0\x80',
};
const QUERIES: Readonly<Record<string, (id: string, timeout: string) => [path: string, body: string]>> = {
  native: (id, timeout) => [
    '/druid/v2',
    `{"queryType":"scan","dataSource":"t","context":{"queryId":"${id}"${timeout}}}`,
  ],
  SQL: (id, timeout) => ['/druid/v2/sql', `{"query":"SELECT 1","context":{"sqlQueryId":"${id}"${timeout}}}`],
  Dart: (id, timeout) => [
    '/druid/v2/sql',
    `{"query":"SELECT 1","context":{"engine":"msq-dart","dartQueryId":"${id}","sqlQueryId":"${id}"${timeout}}}`,
  ],
};

describe.for(DOORS)('C1, by the %s door: an id that is half a surrogate pair ends nothing', (door) => {
  test.for(Object.keys(QUERIES))('%s queries of clients that leave', async (kind) => {
    const { port } = await start({ door }, answersAfter(800));
    const cases = Object.values(IDS).flatMap((id) => [false, true].map((zipped) => ({ id, zipped })));
    await concurrently(cases, cases.length, async ({ id, zipped }) => {
      const client = await connected(port);
      client.send(query(kind, id, '', zipped));
      await pause(300);
      client.leave('reset');
      client.destroy();
    });
    await allIsWell(rig as Rig);
  });

  test.for(Object.keys(QUERIES))(
    '%s queries that are overdue by their own timeout have their 504',
    async (kind) => {
      const { port } = await start({ door }, answersAfter(2_000));
      const cases = Object.values(IDS).flatMap((id) => [false, true].map((zipped) => ({ id, zipped })));
      await concurrently(cases, cases.length, async ({ id, zipped }) => {
        const client = await connected(port);
        client.send(query(kind, id, ',"timeout":1', zipped));
        await client.until((text) => answersIn(text).statuses.length > 0, PATIENCE_MS);
        expect
          .soft(answersIn(client.received()).statuses, `${id} ${zipped ? 'zipped' : ''}`)
          .toEqual(['504']);
        client.destroy();
      });
      await allIsWell(rig as Rig);
    },
  );

  test('L4: an id that is a step up is not asked for in a path', async () => {
    const { port } = await start({ door }, answersAfter(800));
    for (const id of ['..', '.']) {
      const client = await connected(port);
      client.send(query('SQL', id, '', false));
      await pause(200);
      client.leave('reset');
      client.destroy();
    }
    await allIsWell(rig as Rig);
    expect(seen.filter((line) => /^DELETE .*\/\.{1,2}$/.test(line))).toEqual([]);
  });
});

function query(kind: string, id: string, timeout: string, zipped: boolean): Buffer {
  const [path, body] = QUERIES[kind]?.(id, timeout) ?? ['', ''];
  const content = zipped ? gzipSync(Buffer.from(body, 'latin1')).toString('latin1') : body;
  const coding = zipped ? ['Content-Encoding: gzip'] : [];
  return request(`POST ${path}`, ['Content-Type: application/json', ...coding], content);
}

describe.for([...DOORS.map((door) => [door, false] as const), ...DOORS.map((door) => [door, true] as const)])(
  'C2, by the %s door, TLS %s',
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
      await allIsWell(rig as Rig);
    });
  },
);

describe.for(DOORS)('M8, by the %s door: a page of the console with a status that there is not', (door) => {
  test.for(['600', '999', '000', '099', '1000'])('%s is a 502', async (status) => {
    const { port } = await start({ door }, (_, socket) => {
      socket.write(`HTTP/1.1 ${status} Odd\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n`);
      setTimeout(() => {
        if (socket.writable) socket.write('hello');
      }, 900);
    });
    const client = await connected(port);
    client.send(request('GET /unified-console.html', []));
    await client.until((text) => answersIn(text).statuses.length > 0, PATIENCE_MS);
    await client.closedWithin(1_000);
    expect.soft(answersIn(client.received()).statuses).toEqual(['502']);
    client.destroy();
    await allIsWell(rig as Rig);
  });
});

describe.for(DOORS)('redesign 3.2, by the %s door', (door) => {
  test.for(['1.0', '1.1'])(
    'a parked upload by HTTP/%s whose total time passes is answered once',
    async (version) => {
      const { port, coordinator } = await start(
        {
          door,
          keys: { UPSTREAM__TOTAL_TIMEOUT: '300ms', PARKING__MAX_WAIT: '1s', UPSTREAM__BUFFER_BODY: '16KiB' },
        },
        answersAfter(0),
      );
      await coordinator.close();
      const client = await connected(port);
      const head = `POST /druid/coordinator/v1/config HTTP/${version}\r\nHost: a\r\nContent-Type: application/json\r\n`;
      client.send(Buffer.from(`${head}Content-Length: 200000\r\n\r\n${'x'.repeat(10_000)}`));
      await client.closedWithin(4_000);
      const { statuses } = answersIn(client.received(), 'POST', client.closed);
      expect.soft(statuses).toEqual(['504']);
      client.destroy();
      expect.soft(await (rig as Rig).faults()).toEqual([]);
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

describe.for(DOORS)('bug report 2, by the %s door: a timeout that no timer can hold', (door) => {
  test('is a long one and not none', async () => {
    const { gateway } = await start(
      {
        door,
        keys: {
          UPSTREAM__TOTAL_TIMEOUT: '10m',
          UPSTREAM__RESPONSE_TIMEOUT: '10m',
          QUERIES__TIMEOUT_SLACK: '5s',
        },
      },
      answersAfter(300),
    );
    const timeouts = [
      '2147483647',
      '2147478648',
      '99999999999',
      '9007199254740991',
      '"2147483647"',
      '1e300',
      '0',
      '-1',
    ];
    for (const path of ['/druid/v2/sql', '/druid/v2']) {
      const answers = await Promise.all(
        timeouts.map((timeout) =>
          ask(gateway.url + path, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: `{"query":"SELECT 1","context":{"sqlQueryId":"a","queryId":"a","timeout":${timeout}}}`,
          }),
        ),
      );
      expect.soft(answers.map(({ status }) => status)).toEqual(timeouts.map(() => 200));
    }
    expect.soft(seen.filter((line) => line.startsWith('DELETE'))).toEqual([]);
    await allIsWell(rig as Rig);
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

describe.for(DOORS)('F3, by the %s door: one request has one answer', (door) => {
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
    await allIsWell(rig as Rig);
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
    await allIsWell(rig as Rig);
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
    await allIsWell(of);
  });
});

describe.for(DOORS)('H1, by the %s door: TLS handshakes end', (door) => {
  test('connections that do not finish theirs are closed in time and take nobody’s place', async () => {
    const { port, gateway } = await start(
      { door, tls: true, keys: { LIMITS__HEADERS_TIMEOUT: '1s', LIMITS__MAX_CONNECTIONS: '4' } },
      answersAfter(0),
    );
    const hello = await clientHello();
    const beginnings = [Buffer.alloc(0), hello.subarray(0, 11), hello, Buffer.from('GET / HTTP/1.1\r\n')];
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
    await allIsWell(rig as Rig);
  });
});
