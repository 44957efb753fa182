import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAdmin } from '../../../src/admin/admin.ts';
import type { Explained } from '../../../src/admin/explain.ts';
import type { ExplainQuestion } from '../../../src/exchange/explain/explanation.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { FakeCluster, FakeDiscovery } from './fakes.ts';

let app: FastifyInstance;
let url: string;
let asked: ExplainQuestion[];
let answers: boolean;

beforeEach(async () => {
  asked = [];
  answers = true;
  app = createAdmin({
    cluster: new FakeCluster(),
    discovery: new FakeDiscovery(),
    metrics: { contentType: 'text/plain', render: async () => '' },
    errors: recordErrors(),
    draining: () => false,
    version: '1',
    config: {},
    token: 'a-token-of-some-length',
    async explain(question) {
      asked.push(question);
      return answers ? ({ worker: 2 } as Explained) : null;
    },
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

async function post(body: unknown, headers: Record<string, string> = {}): Promise<[number, unknown]> {
  const response = await fetch(`${url}/explain`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
  return [response.status, await response.json()];
}

test('a question needs method and path; host, length and client are those of who asks', async () => {
  expect(await post({ method: 'POST', path: '/druid/v2?x=1', body: 'é' })).toEqual([200, { worker: 2 }]);
  expect(asked).toEqual([
    {
      method: 'POST',
      target: '/druid/v2?x=1',
      headers: 'Host: druid-gateway\r\nContent-Length: 2\r\n',
      body: Buffer.from('é').toString('base64'),
      client: '127.0.0.1',
    },
  ]);
});

test('headers, a body in base64 and the client can be given', async () => {
  await post({
    method: 'POST',
    path: '/druid/v2',
    headers: { host: 'druid.example', 'X-Team': ['a', 'b'], 'content-length': '9' },
    bodyBase64: 'AAECAw==',
    client: '2001:db8::1',
  });
  expect(asked).toMatchObject([
    {
      headers: 'host: druid.example\r\nX-Team: a\r\nX-Team: b\r\ncontent-length: 9\r\n',
      body: 'AAECAw==',
      client: '2001:db8::1',
    },
  ]);
});

test.each([
  [[], 'expected application/json such as'],
  ['null', 'expected application/json such as'],
  [{ path: '/' }, 'method: '],
  [{ method: 'GET /', path: '/' }, 'method: '],
  [{ method: 'x'.repeat(65), path: '/' }, 'method: '],
  [{ method: 'GET' }, 'path: '],
  [{ method: 'GET', path: 'x'.repeat(65_537) }, 'path: '],
  [{ method: 'GET', path: '/', client: 'localhost' }, 'client: '],
  [{ method: 'GET', path: '/', body: {} }, 'body: '],
  [{ method: 'GET', path: '/', body: '', bodyBase64: '' }, 'body, bodyBase64: '],
  [{ method: 'GET', path: '/', bodyBase64: '!' }, 'bodyBase64: '],
  [{ method: 'GET', path: '/', headers: [] }, 'headers: '],
  [{ method: 'GET', path: '/', headers: { 'a b': 'c' } }, 'headers: '],
  [{ method: 'GET', path: '/', headers: { a: 'b\r\nHost: c' } }, 'headers: '],
  [{ method: 'GET', path: '/', headers: { a: 'Ā' } }, 'headers: '],
  [{ method: 'GET', path: '/', headers: { a: 1 } }, 'headers: '],
  [{ method: 'GET', path: '/', headers: { a: 'x'.repeat(65_536) } }, 'headers: '],
])('%j is a 400 that says what is wrong', async (question, message) => {
  expect(await post(question)).toEqual([400, { error: expect.stringContaining(message) }]);
  expect(asked).toEqual([]);
});

test('a question is bounded, and pages of other sites may not ask', async () => {
  expect((await post({ method: 'POST', path: '/', body: 'x'.repeat(1024 * 1024) }))[0]).toBe(413);
  expect((await post({ method: 'GET', path: '/' }, { 'sec-fetch-site': 'cross-site' }))[0]).toBe(403);
  expect(asked).toEqual([]);
});

test('where no worker answers, that is said', async () => {
  answers = false;
  expect(await post({ method: 'GET', path: '/' })).toEqual([503, { error: 'no worker answers; ask again' }]);
});
