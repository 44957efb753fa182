import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import { createGuard } from '../../../src/admin/guard.ts';
import { type ReloadResult, registerReload } from '../../../src/admin/reload.ts';

const TOKEN = 'a-token-of-some-length';

async function post(result: ReloadResult, headers: Record<string, string> = {}) {
  const app = fastify();
  let calls = 0;
  registerReload(app, createGuard({ token: TOKEN }), async () => {
    calls++;
    return result;
  });
  const answer = await app.inject({
    method: 'POST',
    url: '/reload',
    headers: { authorization: `Bearer ${TOKEN}`, ...headers },
  });
  return { status: answer.statusCode, body: answer.json() as unknown, calls };
}

test('what has changed is answered, and what needs a restart', async () => {
  const result = { reloaded: true, changed: ['mode.broker'], needsRestart: ['listen.port'] } as const;
  expect(await post(result)).toEqual({ status: 200, body: result, calls: 1 });
});

test('a refusal is a 422 with all problems', async () => {
  const problems = ['gateway.yaml:3: parking.maxWait: expected a duration'];
  expect(await post({ reloaded: false, problems })).toEqual({
    status: 422,
    body: { error: 'configuration not reloaded', problems },
    calls: 1,
  });
});

test('nobody without the token, and no page, has anything read', async () => {
  const result = { reloaded: true, changed: [], needsRestart: [] } as const;
  expect(await post(result, { authorization: 'Bearer wrong' })).toMatchObject({ status: 401, calls: 0 });
  expect(await post(result, { origin: 'https://evil.example' })).toMatchObject({ status: 403, calls: 0 });
});
