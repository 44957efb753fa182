import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { answersIn, concurrently, pause } from './client.ts';
import { answersAfter, connected, DOORS, oneGateway, PATIENCE_MS, request } from './one-fault.ts';
import { ask } from './rig.ts';

const { start, seen, allIsWell } = oneGateway();

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

describe.for(DOORS)('an id that is half a surrogate pair ends nothing, by the %s door', (door) => {
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
    await allIsWell();
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
      await allIsWell();
    },
  );

  test('an id that is a step up is not asked for in a path', async () => {
    const { port } = await start({ door }, answersAfter(800));
    for (const id of ['..', '.']) {
      const client = await connected(port);
      client.send(query('SQL', id, '', false));
      await pause(200);
      client.leave('reset');
      client.destroy();
    }
    await allIsWell();
    expect(seen.filter((line) => /^DELETE .*\/\.{1,2}$/.test(line))).toEqual([]);
  });
});

function query(kind: string, id: string, timeout: string, zipped: boolean): Buffer {
  const [path, body] = QUERIES[kind]?.(id, timeout) ?? ['', ''];
  const content = zipped ? gzipSync(Buffer.from(body, 'latin1')).toString('latin1') : body;
  const coding = zipped ? ['Content-Encoding: gzip'] : [];
  return request(`POST ${path}`, ['Content-Type: application/json', ...coding], content);
}

describe.for(DOORS)('a timeout that no timer can hold, by the %s door', (door) => {
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
    await allIsWell();
  });
});

/** How an answer of five bytes comes: its head first, its head and a part first, or all of it late. */
const SHAPES: Readonly<Record<string, (head: string) => [now: string, later: string]>> = {
  head: (head) => [head, 'hello'],
  part: (head) => [`${head}he`, 'llo'],
  late: (head) => ['', `${head}hello`],
};
const NO_STATUSES = ['600', '666', '999', '000', '099', '1000'];

describe.for(DOORS)('a status that there is not, by the %s door', (door) => {
  test.for([
    ['page of the console', '/unified-console.html'],
    ['read of a master', '/druid/coordinator/v1/datasources'],
    ['read of a Broker', '/druid/v2/datasources'],
  ])('is a 502 for a %s', async ([, path]) => {
    const { port } = await start({ door }, ({ header }, socket) => {
      const [status = '', shape = ''] = (header('x-case') ?? '').split(' ');
      const head = `HTTP/1.1 ${status} Odd\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n`;
      const [now, later] = SHAPES[shape]?.(head) ?? ['', ''];
      socket.write(now);
      setTimeout(() => {
        if (socket.writable) socket.write(later);
      }, 900);
    });
    const cases = NO_STATUSES.flatMap((status) => Object.keys(SHAPES).map((shape) => `${status} ${shape}`));
    await concurrently(cases, cases.length, async (each) => {
      const client = await connected(port);
      client.send(request(`GET ${path}`, [`X-Case: ${each}`]));
      await client.until((text) => answersIn(text).statuses.length > 0, PATIENCE_MS);
      await client.closedWithin(500);
      expect.soft(answersIn(client.received()).statuses, each).toEqual(['502']);
      client.destroy();
    });
    await allIsWell();
  });
});
