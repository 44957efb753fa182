import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { loadWithOrigins } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/schema.ts';
import { createReloading, type Reloading } from '../../../src/gateway/reloading.ts';
import { type RecordedErrors, recordErrors } from '../../kit/gateway/recorded-errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-reloading-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'gateway.yaml');

let lines: Record<string, unknown>[];
let errors: RecordedErrors;
let time: number;
let loads: number;
/** What has been taken, and what becomes of the next attempt. */
let taken: Config[];
let take: (config: Config) => Promise<readonly string[]>;
let reloading: Reloading;

function write(yaml: string): void {
  writeFileSync(file, yaml);
}

beforeEach(() => {
  lines = [];
  errors = recordErrors();
  time = 1_000;
  loads = 0;
  taken = [];
  take = async () => [];
  write('parking: { maxWait: 1s }');
  reloading = createReloading({
    begun: loadWithOrigins({ file }),
    load() {
      loads++;
      return loadWithOrigins({ file });
    },
    take(config) {
      taken.push(config);
      return take(config);
    },
    logger: pino({ base: null, timestamp: false }, { write: (line) => void lines.push(JSON.parse(line)) }),
    errors,
    now: () => time,
  });
});

const state = () => [reloading.successful, reloading.succeededAt, reloading.config.parking.maxWait];

test('what has changed is taken, told with both values, and what needs a restart stays as it was', async () => {
  write('{ parking: { maxWait: 2s }, listen: 127.0.0.1:1, log: { access: false } }');
  time = 2_000;
  expect(await reloading.reload('signal')).toEqual({
    reloaded: true,
    changed: ['parking.maxWait', 'log.access'],
    needsRestart: ['listen.host', 'listen.port'],
  });
  expect(state()).toEqual([true, 2_000, 2_000]);
  expect(taken).toEqual([reloading.config]);
  expect(reloading.config.listen.port).toBe(8888);
  const shown = reloading.settings.map(({ key, value, origin }) => `${key}=${value} (${origin})`);
  expect(shown).toContain(`parking.maxWait=2s (${file}:1)`);
  expect(shown).toContain('listen.port=8888 (default)');
  expect(shown.toSorted()).toHaveLength(new Set(shown).size);
  expect(lines).toEqual([
    {
      level: 30,
      trigger: 'signal',
      changed: [
        { key: 'parking.maxWait', from: 1_000, to: 2_000 },
        { key: 'log.access', from: true, to: false },
      ],
      needsRestart: ['listen.host', 'listen.port'],
      msg: 'configuration reloaded',
    },
  ]);
  // It is told again until it is restarted, or taken back.
  expect(await reloading.reload('file')).toMatchObject({
    changed: [],
    needsRestart: ['listen.host', 'listen.port'],
  });
});

test('a wrong one is refused with all that is wrong, and the former one stays until the next that is right', async () => {
  write('{ parking: { maxWait: soon, maxBytes: much }, lisen: 1 }');
  const refused = await reloading.reload('request');
  expect(refused).toMatchObject({ reloaded: false });
  expect(JSON.stringify(refused)).toMatch(
    /parking\.maxWait.*parking\.maxBytes|parking\.maxBytes.*parking\.maxWait/,
  );
  expect(JSON.stringify(refused)).toContain('did you mean listen');
  expect([state(), taken]).toEqual([[false, 1_000, 1_000], []]);
  expect(lines).toMatchObject([{ level: 50, trigger: 'request', msg: 'configuration not reloaded' }]);
  expect(lines[0]).toMatchObject({ problems: (refused as { problems: readonly string[] }).problems });
  write('parking: { maxWait: 3s }');
  time = 5_000;
  await reloading.reload('file');
  expect(state()).toEqual([true, 5_000, 3_000]);
});

test('one that cannot be taken is refused, and the former one stays', async () => {
  write('parking: { maxWait: 2s }');
  take = () => Promise.reject(new Error('the file a.pem cannot be read (ENOENT)'));
  expect(await reloading.reload('file')).toEqual({
    reloaded: false,
    problems: ['the file a.pem cannot be read (ENOENT)'],
  });
  expect([state(), errors.total]).toEqual([[false, 1_000, 1_000], 0]);
});

test('an error of our own is told as such, without its text', async () => {
  take = () => Promise.reject(new TypeError('secret'));
  const refused = await reloading.reload('request');
  expect(refused).toEqual({ reloaded: false, problems: ['internal error; the log has its stack'] });
  expect(errors.lines).toMatchObject([{ place: 'admin', error: 'TypeError: secret' }]);
});

test('one that not all workers have taken is in use, and has not succeeded', async () => {
  write('parking: { maxWait: 2s }');
  take = async () => ['worker 2: has not answered'];
  expect(await reloading.reload('request')).toEqual({
    reloaded: false,
    problems: ['worker 2: has not answered'],
  });
  expect(state()).toEqual([false, 1_000, 2_000]);
  expect(lines).toMatchObject([{ msg: 'configuration not reloaded by all workers' }]);
  take = async () => [];
  expect(await reloading.reload('request')).toEqual({ reloaded: true, changed: [], needsRestart: [] });
  expect(reloading.successful).toBe(true);
});

test('one attempt is made at a time, and all that come meanwhile get one more', async () => {
  const begun = Promise.withResolvers<readonly string[]>();
  take = () => begun.promise;
  const first = reloading.reload('signal');
  while (taken.length === 0) await new Promise((resolve) => setImmediate(resolve));
  write('parking: { maxWait: 2s }');
  const more = Array.from({ length: 100 }, () => reloading.reload('request'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(loads).toBe(1);
  begun.resolve([]);
  expect(await first).toMatchObject({ changed: [] });
  for (const result of await Promise.all(more))
    expect(result).toMatchObject({ changed: ['parking.maxWait'] });
  expect([loads, taken.length]).toEqual([2, 2]);
});

test('a long list is cut in the log', async () => {
  const paths = Array.from({ length: 500 }, (_, i) => `/druid/path-${i}`);
  write(JSON.stringify({ parking: { maxWait: '1s' }, routes: { allow: paths } }));
  await reloading.reload('signal');
  expect(JSON.stringify(lines[0]).length).toBeLessThan(1_000);
  expect(reloading.config.routes.allow).toEqual(paths);
});

test('nothing is taken once the gateway shuts down', async () => {
  reloading.close();
  expect(await reloading.reload('signal')).toMatchObject({ reloaded: false });
  expect([loads, reloading.successful]).toEqual([0, true]);
});
