import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCorsPolicy } from '../../../src/exchange/cors.ts';
import { exchangeRaw, type RawAnswer } from '../../kit/clients/raw-client.ts';
import { OVER_TLS } from '../../kit/gateway/door.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../kit/upstream/fake-upstream.ts';

let node: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  node = await startUpstream((_, socket) => socket.write(plain('200 OK', [], '')));
  await start({});
});

afterEach(async () => {
  await gateway.close();
  await node.close();
});

async function start(exchange: NonNullable<HarnessOptions['exchange']>): Promise<void> {
  await gateway?.close();
  gateway = await startHarness({ exchange });
  gateway.cluster.brokers(node.origin);
  gateway.cluster.lead('coordinator', node.origin);
  gateway.cluster.lead('overlord', node.origin);
}

function ask(line: string, ...headers: string[]): Promise<RawAnswer> {
  const body = line.startsWith('POST') ? ['Content-Length: 2', '', '{}'] : ['', ''];
  return exchangeRaw(gateway.port, [`${line} HTTP/1.1`, ...headers, ...body].join('\r\n'));
}

const TERMINATE = 'POST /druid/indexer/v1/supervisor/x/terminate';
const HOST = 'Host: gw.example:8888';
const EVIL = ['Origin: https://evil.example', 'Sec-Fetch-Site: cross-site'];
const JSON_TYPE = 'Content-Type: application/json';

describe('a page of another site', () => {
  test.each([
    TERMINATE,
    'POST /druid/coordinator/v1/config',
    'POST /proxy/overlord/druid/indexer/v1/task',
    'POST /druid/v2/sql/task',
    'POST /druid/v2/sql/statements',
    'POST /druid/v2/sql/avatica/',
    'POST /druid-ext/basic-security/authentication/db/x/users/y',
    'PUT /druid/coordinator/v1/datasources/x',
    'DELETE /druid/coordinator/v1/datasources/x',
    'DELETE /druid/v2/sql/some-id',
  ])('cannot have %s done, whatever the content type, and no node hears of it', async (line) => {
    for (const type of [JSON_TYPE, 'Content-Type: text/plain', 'X: y']) {
      for (const headers of [
        EVIL,
        EVIL.slice(0, 1),
        EVIL.slice(1),
        ['Origin: null'],
        ['Sec-Fetch-Site: same-site'],
      ]) {
        const answer = await ask(line, HOST, type, ...headers);
        expect([headers, answer.status, answer.json().errorCode]).toEqual([headers, 403, 'cross_site']);
      }
    }
    expect(node.requests).toEqual([]);
  });

  test.each([
    ['text/plain', 403],
    ['TEXT/PLAIN; charset=utf-8', 403],
    ['application/x-www-form-urlencoded', 403],
    ['multipart/form-data; boundary=x', 403],
    ['', 403],
    ['application/json', 200],
    ['application/x-jackson-smile', 200],
  ])('cannot ask a query that a browser sends without asking first: %j is %i', async (type, status) => {
    for (const path of ['/druid/v2', '/druid/v2/sql']) {
      const answer = await ask(`POST ${path}`, HOST, `Content-Type: ${type}`, 'Cookie: a=b', ...EVIL);
      expect(answer.status).toBe(status);
    }
  });

  test.each([
    'GET /druid/v2/datasources',
    'HEAD /druid/coordinator/v1/metadata/x',
    'GET /unified-console.html',
  ])('may read: %s, of whose answer a browser tells it nothing', async (line) => {
    expect((await ask(line, HOST, ...EVIL)).status).toBe(200);
  });
});

describe('our own pages and all that is no browser', () => {
  test.each([
    ['nobody says', []],
    ['the browser says', ['Sec-Fetch-Site: same-origin', 'Origin: https://druid.example.com']],
    ['its user typed', ['Sec-Fetch-Site: none']],
    ['by name and port', ['Origin: http://gw.example:8888']],
    ['in other letters', ['Origin: HTTP://GW.example:8888']],
    ['behind what ends TLS', ['Origin: https://gw.example:8888']],
    ['of the same site and name', ['Sec-Fetch-Site: same-site', 'Origin: https://gw.example:8888']],
    ['an unknown word', ['Sec-Fetch-Site: elsewhere']],
  ])('pass: %s', async (_, headers) => {
    // A page that came in the clear is none of an encrypted listener.
    if (OVER_TLS && headers.some((line) => line.toLowerCase().startsWith('origin: http:'))) return;
    expect((await ask(TERMINATE, HOST, ...headers)).status).toBe(200);
  });

  test.each([
    ['another port', 'http://gw.example:9999'],
    ['no port', 'http://gw.example'],
    ['a longer name', 'http://gw.example:8888.evil.example'],
    ['a name before it', 'http://evil.gw.example:8888'],
    ['a user', 'http://gw.example:8888@evil.example'],
    ['a path', 'http://gw.example:8888/'],
    ['another scheme', 'file://gw.example:8888'],
    ['two origins', 'http://gw.example:8888, http://evil.example'],
    ['nothing', ''],
  ])('an origin that only looks like ours is not: %s', async (_, origin) => {
    expect((await ask(TERMINATE, HOST, `Origin: ${origin}`)).status).toBe(403);
  });

  test('the default port goes without saying', async () => {
    for (const [host, origin] of [
      ['gw.example', 'https://gw.example'],
      ['gw.example:443', 'https://gw.example'],
      ['[::1]:443', 'https://[::1]'],
      ...(OVER_TLS ? [] : [['gw.example:80', 'http://gw.example']]),
    ]) {
      expect((await ask(TERMINATE, `Host: ${host}`, `Origin: ${origin}`)).status).toBe(200);
    }
    expect((await ask(TERMINATE, 'Host: gw.example:443', 'Origin: http://gw.example')).status).toBe(403);
  });
});

describe('behind a balancer with another name', () => {
  const NAMED = ['Host: 10.0.0.7:8888', 'X-Forwarded-Host: druid.example.com', 'X-Forwarded-Proto: https'];

  test('that is trusted, the name that it was called counts, and its scheme', async () => {
    await start({ trusts: (address) => address === '127.0.0.1' });
    expect((await ask(TERMINATE, ...NAMED, 'Origin: https://druid.example.com')).status).toBe(200);
    expect((await ask(TERMINATE, ...NAMED, 'Origin: http://druid.example.com')).status).toBe(403);
    expect((await ask(TERMINATE, ...NAMED, 'Origin: https://10.0.0.7:8888')).status).toBe(403);
  });

  test('that is not, only the browser itself can say so', async () => {
    const origin = 'Origin: https://druid.example.com';
    expect((await ask(TERMINATE, ...NAMED, origin)).status).toBe(403);
    expect((await ask(TERMINATE, ...NAMED, origin, 'Sec-Fetch-Site: same-origin')).status).toBe(200);
  });
});

describe('by configuration', () => {
  const cors = (...origins: string[]): Promise<void> =>
    start({
      cors: createCorsPolicy({
        origins,
        methods: ['GET', 'POST'],
        headers: ['Authorization'],
        credentials: origins[0] !== '*',
        maxAgeMs: 600_000,
      }),
    });
  const bi = ['Origin: https://bi.example.com', 'Sec-Fetch-Site: cross-site'];

  test('an origin may do what the methods say, and no other origin anything', async () => {
    await cors('https://BI.example.com:443');
    expect((await ask(TERMINATE, HOST, ...bi)).status).toBe(200);
    expect((await ask('DELETE /druid/coordinator/v1/datasources/x', HOST, ...bi)).status).toBe(403);
    expect((await ask(TERMINATE, HOST, ...EVIL)).status).toBe(403);
    expect((await ask('POST /druid/v2/sql', HOST, JSON_TYPE, ...EVIL)).status).toBe(403);
    expect((await ask(TERMINATE, HOST, 'Origin: null')).status).toBe(403);
    expect((await ask(TERMINATE, HOST)).status).toBe(200);
  });

  test('* is every origin', async () => {
    await cors('*');
    expect((await ask(TERMINATE, HOST, ...EVIL)).status).toBe(200);
  });
});
