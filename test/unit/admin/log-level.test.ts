import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAdmin } from '../../../src/admin/admin.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { FakeCluster, FakeDiscovery } from './fakes.ts';

const TOKEN = 'a-token-of-some-length';

let app: FastifyInstance;
let url: string;
let level: string;

beforeEach(async () => {
  level = 'info';
  app = createAdmin({
    cluster: new FakeCluster(),
    discovery: new FakeDiscovery(),
    metrics: { contentType: 'text/plain', render: async () => '' },
    errors: recordErrors(),
    draining: () => false,
    version: '1',
    config: {},
    token: TOKEN,
    logLevel: {
      get: () => level,
      set(wanted) {
        level = wanted;
      },
    },
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

async function put(body: string, headers: Record<string, string> = {}): Promise<[number, unknown]> {
  const given = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers };
  const response = await fetch(`${url}/log-level`, { method: 'PUT', body, headers: given });
  return [response.status, await response.json()];
}

test('the level is set, and what it was is told', async () => {
  expect(await put('{"level":"debug"}')).toEqual([200, { level: 'debug', was: 'info' }]);
  expect(await put('{"level":"silent"}')).toEqual([200, { level: 'silent', was: 'debug' }]);
  expect(level).toBe('silent');
});

test('the level is told to whoever may read', async () => {
  const response = await fetch(`${url}/log-level`);
  expect([response.status, await response.json()]).toEqual([200, { level: 'info' }]);
});

test('to set it is an action: it takes the token', async () => {
  expect(await put('{"level":"debug"}', { authorization: '' })).toMatchObject([
    401,
    { context: { reason: 'token_required' } },
  ]);
  expect(level).toBe('info');
});

test.each([['{"level":"loud"}'], ['{"level":["debug"]}'], ['{}'], ['null'], ['"debug"'], ['[]']])(
  '%s is a 400 that says what is expected',
  async (body) => {
    const [status, said] = await put(body);
    expect([status, said]).toEqual([
      400,
      { error: expect.stringContaining('levels are trace, debug, info') },
    ]);
    expect(level).toBe('info');
  },
);

test('a body that is no JSON, not said to be, or too long changes nothing', async () => {
  expect(await put('{"level":')).toMatchObject([400, { error: 'bad request' }]);
  expect(await put('{"level":"debug"}', { 'content-type': 'text/yaml' })).toMatchObject([400, {}]);
  expect(await put(`{"level":"${'x'.repeat(2_000)}"}`)).toMatchObject([413, { error: 'bad request' }]);
  expect(level).toBe('info');
});
