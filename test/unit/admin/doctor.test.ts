import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { registerDoctor } from '../../../src/admin/doctor.ts';
import { createGuard } from '../../../src/admin/guard.ts';
import { createListener } from '../../../src/admin/listener.ts';
import { examine, type Report } from '../../../src/doctor/examine.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { HEALTHY } from '../doctor/made-up.ts';

const REPORT = examine(HEALTHY);

let app: FastifyInstance;
let url: string;
let runs: PromiseWithResolvers<Report>[];
let now: number;
/** Requests that the handler has got. */
let asked: number;
const errors = recordErrors();

beforeEach(async () => {
  runs = [];
  now = 100_000;
  asked = 0;
  app = createListener({ errors, paths: [] });
  const start = (): Promise<Report> => {
    const run = Promise.withResolvers<Report>();
    runs.push(run);
    return run.promise;
  };
  app.addHook('preHandler', async () => {
    asked++;
  });
  registerDoctor(app, start, createGuard(), () => now);
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

const ask = (headers: Record<string, string> = {}): Promise<Response> => fetch(`${url}/doctor`, { headers });

/** Resolves when so many examinations have begun, and so many have asked for them. */
async function begun(count: number, askers = 1): Promise<PromiseWithResolvers<Report>> {
  while (runs.length < count || asked < askers) await new Promise((resolve) => setImmediate(resolve));
  const run = runs[count - 1];
  if (run === undefined) throw new Error('it has begun');
  return run;
}

test('all who ask while one examination runs get its report', async () => {
  const answers = [ask(), ask(), ask()];
  const run = await begun(1, 3);
  expect(runs).toHaveLength(1);
  run.resolve(REPORT);
  for (const response of await Promise.all(answers)) {
    expect(await response.json()).toEqual(JSON.parse(JSON.stringify(REPORT)));
  }
  expect(runs).toHaveLength(1);
});

test('a report is given again for ten seconds from its end, and then there is a new one', async () => {
  const first = ask();
  const run = await begun(1);
  now = 160_000;
  run.resolve(REPORT);
  await first;
  now = 169_999;
  expect((await ask()).status).toBe(200);
  expect(runs).toHaveLength(1);
  now = 170_000;
  const second = ask();
  (await begun(2)).resolve(REPORT);
  expect((await second).status).toBe(200);
});

test('an error of ours is a 500 without its words, and the next one who asks has an examination', async () => {
  const first = ask();
  (await begun(1)).reject(new Error('secret'));
  const response = await first;
  expect([response.status, await response.json()]).toEqual([500, { error: 'internal error' }]);
  expect(errors.lines.at(-1)).toMatchObject({ place: 'admin', error: 'Error: secret' });
  const second = ask();
  (await begun(2)).resolve(REPORT);
  expect((await second).status).toBe(200);
});

test('a page in a browser gets nothing, and starts nothing', async () => {
  expect((await ask({ origin: 'https://evil.example' })).status).toBe(403);
  expect(runs).toHaveLength(0);
});
