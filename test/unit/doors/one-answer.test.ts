import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectRaw, type RawClient } from '../../kit/clients/raw-client.ts';
import { OVER_TLS } from '../../kit/gateway/door.ts';
import { type Harness, startHarness } from '../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

let broker: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  broker = await startUpstream((_, socket) => socket.write(json('ok')));
  gateway = await startHarness({ limits: { requestTimeoutMs: 700, headersTimeoutMs: 700 } });
  gateway.cluster.brokers(broker.origin);
});

afterEach(async () => {
  await gateway.close();
  await broker.close();
});

/** Everything that comes until the connection is over. */
async function toTheEnd(client: RawClient): Promise<string> {
  await client.ended();
  return client.received().toString('latin1');
}

const statuses = (text: string): string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code = '']) => code);

const CHUNKED = 'Host: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const GET = 'GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n';
const BAD = '5\r\nhello!!\r\n0\r\n\r\n';

const ANSWERED_BEFORE_ITS_BODY = [
  ['404', `POST /p HTTP/1.1\r\n${CHUNKED}`],
  ['405', `PATCH /druid/v2 HTTP/1.1\r\n${CHUNKED}`],
  ['204', `OPTIONS /druid/v2 HTTP/1.1\r\n${CHUNKED}`],
  ['200', `GET /proxy/enabled HTTP/1.1\r\n${CHUNKED}`],
  ['404', `POST /p HTTP/1.1\r\nConnection: close\r\n${CHUNKED}`],
  ['417', `POST /p HTTP/1.1\r\nExpect: x\r\n${CHUNKED}`],
] as const;

test.each(ANSWERED_BEFORE_ITS_BODY)(
  '%s is the only answer, a malformed body in the same packet',
  async (status, head) => {
    const client = await connectRaw(gateway.port);
    client.send(head + BAD);
    const text = await toTheEnd(client);
    expect(statuses(text)).toHaveLength(1);
    expect(['400', status]).toContain(statuses(text)[0]);
  },
);

test.each(ANSWERED_BEFORE_ITS_BODY)(
  '%s is the only answer, a malformed body after it',
  async (status, head) => {
    const client = await connectRaw(gateway.port);
    client.send(head);
    expect(String((await client.answer()).status)).toBe(status);
    client.send(BAD + GET);
    expect(await toTheEnd(client)).toBe('');
    expect(broker.requests).toEqual([]);
  },
);

test('the same with sound requests ahead, whose answers come first', async () => {
  broker.script = (_, socket) => setTimeout(() => socket.write(json('ok')), 50);
  for (const together of [true, false]) {
    const client = await connectRaw(gateway.port);
    const head = `POST /p HTTP/1.1\r\n${CHUNKED}`;
    client.send(GET + GET + head + (together ? BAD : ''));
    for (let i = 0; i < 2; i++) expect((await client.answer()).status).toBe(200);
    if (!together) {
      expect((await client.answer()).status).toBe(404);
      client.send(BAD);
    }
    expect(statuses(await toTheEnd(client)).length).toBe(together ? 1 : 0);
  }
});

test.each([
  ['chunked', CHUNKED],
  ['with a length', 'Host: a\r\nContent-Length: 50\r\n\r\n'],
])('a body %s that does not come hears nothing after its answer', async (_, lines) => {
  const client = await connectRaw(gateway.port);
  client.send(`POST /p HTTP/1.1\r\n${lines}`);
  expect((await client.answer()).status).toBe(404);
  expect(await toTheEnd(client)).toBe('');
});

test.each([
  ['chunked', CHUNKED],
  ['with a length', 'Host: a\r\nContent-Length: 50\r\n\r\n'],
])('a client that ends in a body %s that has been answered hears nothing more', async (_, lines) => {
  const client = await connectRaw(gateway.port);
  client.send(`POST /p HTTP/1.1\r\n${lines}`);
  expect((await client.answer()).status).toBe(404);
  client.socket.end();
  expect(await toTheEnd(client)).toBe('');
});

test('an answer that is under way is cut where the body of its request turns out malformed', async () => {
  broker.onHead = (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    return () => {};
  };
  const client = await connectRaw(gateway.port);
  client.send(
    `POST /druid/v2/sql HTTP/1.1\r\n${CHUNKED}${(70_000).toString(16)}\r\n${'x'.repeat(70_000)}\r\n`,
  );
  while (!client.received().toString().endsWith('half')) await sleep(2);
  client.send('zz\r\n');
  // Of an encrypted connection only the end is seen.
  expect(await client.ended()).toBe(OVER_TLS ? 'end' : 'reset');
  expect(statuses(client.received().toString())).toEqual(['200']);
  expect((await gateway.recorded(1))[0]?.end).toBe('client_gone');
  expect(gateway.cluster.node(broker.origin).outstanding).toBe(0);
});

test('a whole answer that the client is still reading is not cut by what is wrong with its body', async () => {
  // A name that is long makes the answer, an error that names nothing, no longer: the client reads late instead.
  const client = await connectRaw(gateway.port);
  client.socket.pause();
  client.send(`POST /p HTTP/1.1\r\n${CHUNKED}`);
  await sleep(50);
  client.send(BAD);
  await sleep(50);
  client.socket.resume();
  expect((await client.answer()).status).toBe(404);
  expect(await toTheEnd(client)).toBe('');
});

test.each([
  ['in the same packet', false],
  ['later', true],
])('garbage behind a whole request that has been answered is a 400 of its own, %s', async (_, later) => {
  const client = await connectRaw(gateway.port);
  const whole = `POST /p HTTP/1.1\r\n${CHUNKED}5\r\nhello\r\n0\r\n\r\n`;
  client.send(later ? whole : `${whole}\0garbage\r\n\r\n`);
  expect((await client.answer()).status).toBe(404);
  if (later) client.send('\0garbage\r\n\r\n');
  expect((await client.answer()).status).toBe(400);
  expect(await toTheEnd(client)).toBe('');
});

test('a body that is malformed before anything is answered is a 400', async () => {
  const client = await connectRaw(gateway.port);
  client.send(`${GET}POST /druid/v2/sql HTTP/1.1\r\n${CHUNKED}${BAD}`);
  expect((await client.answer()).status).toBe(200);
  expect((await client.answer()).status).toBe(400);
  expect(await toTheEnd(client)).toBe('');
});

test.each([
  ['malformed, chunked', `HEAD /druid/v2/x HTTP/1.1\r\n${CHUNKED}zz\r\n`, '400'],
  ['late, chunked', `HEAD /druid/v2/x HTTP/1.1\r\n${CHUNKED}`, '408'],
  ['late, with a length', 'HEAD /druid/v2/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc', '408'],
  ['of a HEAD with a Host that is none', 'HEAD /druid/v2/x HTTP/1.1\r\nHost: a b\r\n\r\n', '400'],
  ['of a HEAD that expects too much', 'HEAD /druid/v2/x HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n', '417'],
])('HEAD gets the head alone: its body %s', async (_, sent, status) => {
  const client = await connectRaw(gateway.port);
  client.send(sent);
  const text = await toTheEnd(client);
  expect(statuses(text)).toEqual([status]);
  expect(text.endsWith('\r\n\r\n')).toBe(true);
});
