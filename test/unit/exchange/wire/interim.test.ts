import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectRaw } from '../../../kit/clients/raw-client.ts';
import { type Harness, startHarness } from '../../../kit/gateway/gateway-harness.ts';
import { type FakeUpstream, plain, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let node: FakeUpstream;
let gateway: Harness;

beforeEach(async () => {
  node = await startUpstream(() => {});
  gateway = await startHarness();
  gateway.cluster.brokers(node.origin);
  gateway.cluster.lead('coordinator', node.origin);
});

afterEach(async () => {
  await gateway.close();
  await node.close();
});

const OK = plain('200 OK', ['Content-Type: text/plain'], 'ok');
const LINK = 'Link: </a.css>; rel=preload';

/** All that a client gets until so many answers are whole. */
async function heard(request: string, answers = 1): Promise<string> {
  const client = await connectRaw(gateway.port);
  client.send(request);
  const text = (): string => client.received().toString('latin1');
  const isWhole = (): boolean => text().endsWith('ok') && text().split('\r\n\r\nok').length > answers;
  while (!isWhole() && client.socket.readable) await new Promise((resolve) => setTimeout(resolve, 2));
  client.close();
  return text();
}

const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, s = '']) => s);
const get = (path: string, version = '1.1'): string => `GET ${path} HTTP/${version}\r\nHost: a\r\n\r\n`;

test.each(['/druid/v2/x', '/druid/coordinator/v1/x'])(
  'interim answers to %s go on before the answer',
  async (path) => {
    node.script = (_, socket) => {
      socket.write(
        `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n${LINK}\r\nConnection: x-a\r\nX-A: b\r\n\r\n`,
      );
      socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 Own\r\nX-Druid-Server: node:1\r\n\r\n');
      setTimeout(() => socket.write(OK), 20);
    };
    const text = await heard(get(path));
    expect(statuses(text)).toEqual(['102', '103', '199', '200']);
    expect(text).toContain(`HTTP/1.1 103 Early Hints\r\n${LINK}\r\n\r\nHTTP/1.1 199`);
    expect(text).not.toMatch(/X-A|X-Druid-Server/);
    const [record] = await gateway.recorded(1);
    expect(record).toMatchObject({ status: 200, end: 'complete' });
  },
);

test('a client of HTTP/1.0 gets none, and one that pipelines gets each before its own answer', async () => {
  node.script = ({ target }, socket) =>
    void socket.write(`HTTP/1.1 103 Early Hints\r\nX-For: ${target}\r\n\r\n${OK.toString('latin1')}`);
  expect(statuses(await heard(get('/druid/v2/x', '1.0')))).toEqual(['200']);
  const text = await heard(`${get('/druid/v2/1')}${get('/druid/v2/2')}${get('/druid/v2/3')}`, 3);
  expect(statuses(text)).toEqual(['103', '200', '103', '200', '103', '200']);
  expect([...text.matchAll(/X-For: (\S+)/g)].map(([, path]) => path)).toEqual([
    '/druid/v2/1',
    '/druid/v2/2',
    '/druid/v2/3',
  ]);
});

test('no more than eight are handed on, whatever the node sends, and the answer is served', async () => {
  node.script = (_, socket) =>
    void socket.write(`${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(500)}${OK.toString('latin1')}`);
  const found = statuses(await heard(get('/druid/v2/x')));
  expect([found.length, found.at(-1)]).toEqual([9, '200']);
});
