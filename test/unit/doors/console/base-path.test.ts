import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectRaw, exchangeRaw, type RawAnswer } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

/** As Druid has it. */
const OWN =
  "/* a license */\n\nwindow.consoleConfig = {\n  exampleManifestsUrl: 'https://druid.apache.org/x.tsv',\n  /* future configs may go here */\n};\n";
const CONFIG = '/druid-prod/console-config.js';

let leader: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  leader = await startUpstream((_, socket) => socket.write(script('200 OK', OWN)));
  gateway = await startHarness({ exchange: { maxWaitMs: 300, basePath: '/druid-prod' } });
  gateway.cluster.lead('coordinator', leader.origin);
});
afterEach(async () => {
  await gateway.close();
  await leader.close();
});

function script(status: string, text: string, ...headers: string[]): Buffer {
  const own = [
    'Content-Type: application/javascript',
    'ETag: "x"',
    'Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT',
  ];
  return plain(status, [...own, 'X-Kept: 1', ...headers], text);
}

const ask = (target: string, method = 'GET', extra = ''): Promise<RawAnswer> =>
  exchangeRaw(
    gateway.port,
    `${method} ${target} HTTP/1.1\r\nHost: gw:1\r\n${extra}Connection: close\r\n\r\n`,
  );

/** What the console finds when it has run the script. */
function settings({ body }: RawAnswer): Record<string, unknown> {
  const window: { consoleConfig?: Record<string, unknown> } = {};
  runInNewContext(body.toString(), { window });
  return window.consoleConfig ?? {};
}

test('the console is told the base path, beside what the node tells it', async () => {
  const answer = await ask(
    `${CONFIG}?x`,
    'GET',
    'Accept-Encoding: gzip\r\nIf-None-Match: "x"\r\nRange: bytes=0-3\r\n',
  );
  expect(answer.status).toBe(200);
  expect(settings(answer)).toEqual({
    exampleManifestsUrl: 'https://druid.apache.org/x.tsv',
    baseURL: '/druid-prod',
    localStorageNamespace: '/druid-prod',
  });
  expect([answer.header('content-type'), answer.header('x-kept')]).toEqual(['application/javascript', '1']);
  // They are of another text.
  expect([answer.header('etag'), answer.header('last-modified')]).toEqual([undefined, undefined]);
  const [request] = leader.requests;
  expect(request?.target).toBe('/console-config.js?x');
  for (const name of ['accept-encoding', 'if-none-match', 'range']) {
    expect([name, request?.header(name)]).toEqual([name, undefined]);
  }
  const [record] = await gateway.recorded(1);
  expect(record).toMatchObject({ role: 'console', status: 200, bytesOut: answer.body.length });
});

test('what operators have set stays, less a base URL that leads elsewhere', async () => {
  const own =
    "window.consoleConfig = { title: 'Prod', baseURL: '/old', localStorageNamespace: 'prod' } // none";
  leader.script = (_, socket) => socket.write(script('200 OK', own));
  expect(settings(await ask(CONFIG))).toEqual({
    title: 'Prod',
    baseURL: '/druid-prod',
    localStorageNamespace: 'prod',
  });
  leader.script = (_, socket) => socket.write(script('200 OK', ''));
  expect(settings(await ask(CONFIG))).toMatchObject({ baseURL: '/druid-prod' });
});

test('in chunks, in pieces, to HTTP/1.0 and by HEAD it is the same', async () => {
  const whole = (await ask(CONFIG)).body.toString();
  leader.script = (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    socket.write(`${OWN.length.toString(16)}\r\n${OWN}\r\n`);
    setImmediate(() => socket.write('0\r\n\r\n'));
  };
  expect((await ask(CONFIG)).body.toString()).toBe(whole);
  const old = await exchangeRaw(gateway.port, `GET ${CONFIG} HTTP/1.0\r\n\r\n`);
  expect(old.body.toString()).toBe(whole);
  leader.script = (_, socket) => socket.write(script('200 OK', OWN));
  const client = await connectRaw(gateway.port);
  client.send(`HEAD ${CONFIG} HTTP/1.1\r\nHost: gw:1\r\n\r\n`);
  const head = await client.answer({ head: true });
  expect(head.header('content-length')).toBe(String(whole.length));
  client.close();
});

test('no other page, and no answer but a whole one, is changed', async () => {
  leader.script = (_, socket) => socket.write(script('200 OK', OWN));
  for (const path of ['/druid-prod/public/console-config.js', '/druid-prod/unified-console.html']) {
    const answer = await ask(path);
    expect([answer.body.toString(), answer.header('etag')]).toEqual([OWN, '"x"']);
  }
  for (const status of ['404 Not Found', '401 Unauthorized', '206 Partial Content']) {
    leader.script = (_, socket) => socket.write(script(status, OWN));
    const answer = await ask(CONFIG);
    expect([String(answer.status), answer.body.toString()]).toEqual([status.slice(0, 3), OWN]);
  }
  leader.script = (_, socket) => socket.write(script('200 OK', OWN, 'Content-Encoding: x'));
  expect((await ask(CONFIG)).body.toString()).toBe(OWN);
});

test('one that breaks off is not taken for whole', async () => {
  leader.script = (_, socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
  await expect(ask(CONFIG)).rejects.toThrow();
});

test('at the root it is as the node has it', async () => {
  await gateway.close();
  gateway = await startHarness({ exchange: { maxWaitMs: 300 } });
  gateway.cluster.lead('coordinator', leader.origin);
  const answer = await ask('/console-config.js', 'GET', 'If-None-Match: "y"\r\n');
  expect([answer.body.toString(), answer.header('etag')]).toEqual([OWN, '"x"']);
  expect(leader.requests[0]?.header('if-none-match')).toBe('"y"');
});
