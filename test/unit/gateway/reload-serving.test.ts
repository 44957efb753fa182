import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/schema.ts';
import { createServing, type Serving } from '../../../src/gateway/create-serving.ts';
import { exchangeRaw } from '../../kit/clients/raw-client.ts';
import { FakeCluster } from '../../kit/gateway/gateway-harness.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { type FakeUpstream, json, startUpstream } from '../../kit/upstream/fake-upstream.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-reload-'));
afterAll(() => rmSync(folder, { recursive: true }));

let druid: FakeUpstream;
let cluster: FakeCluster;
let serving: Serving;
let lines: Record<string, unknown>[];
let port: number;
/** Requests that the node has and has not answered. */
let held: Socket[];

beforeEach(async () => {
  held = [];
  lines = [];
  druid = await startUpstream((_, socket) => void held.push(socket));
  cluster = new FakeCluster();
  cluster.brokers(druid.origin);
});
afterEach(async () => {
  await serving.stop({ delay: 0, drain: 100 });
  await druid.close();
});

/** With these lines of YAML. */
function config(...lines: readonly string[]): Config {
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, ['listen: 127.0.0.1:0', ...lines, ''].join('\n'));
  return loadConfig({ file });
}

async function begin(...yaml: readonly string[]): Promise<void> {
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  serving = createServing({
    config: config(...yaml),
    cluster,
    logger: pino({ base: null, timestamp: false }, { write }),
    sink() {},
    errors: recordErrors(),
  });
  ({ port } = await serving.listen());
}

const reload = (...yaml: readonly string[]): void => serving.reload(config(...yaml));

async function ask(...headers: string[]): Promise<string> {
  const head = ['GET /druid/v2/datasources HTTP/1.1', 'Host: a', ...headers, '', ''];
  const answer = await exchangeRaw(port, head.join('\r\n'));
  return `${answer.status} ${answer.header('access-control-allow-origin') ?? ''}`.trim();
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const ORIGIN = 'Origin: https://bi.example.com';

test('a request ends as it began, and the next one has what has changed', async () => {
  await begin('log: { access: true }');
  const before = ask(ORIGIN);
  await until(() => held.length === 1);
  reload(
    'upstream: { byClass: { read: { totalTimeout: 100ms } } }',
    'cors: { origins: [https://bi.example.com] }',
    'log: { access: false }',
  );
  expect(await ask(ORIGIN)).toBe('504 https://bi.example.com');
  held[0]?.write(json('late'));
  expect(await before).toBe('200');
  await until(() => lines.some(({ msg }) => msg === 'request'));
  expect(lines.filter(({ msg }) => msg === 'request')).toMatchObject([{ status: 200 }]);
});

test('a base path is taken up, and a request that came before it is answered', async () => {
  await begin();
  const before = ask();
  await until(() => held.length === 1);
  serving.reload({ ...config(), listen: { ...config().listen, basePath: '/druid-prod' } });
  expect(await ask()).toBe('404');
  held[0]?.write(json('late'));
  expect(await before).toBe('200');
});

test('a request that waits for room goes on when there is more of it', async () => {
  await begin('limits: { concurrency: { broker: 1 } }');
  const answers = [ask(), ask()];
  await until(() => serving.state.waitQueue.queued('broker') === 1 && held.length === 1);
  reload('limits: { concurrency: { broker: 2 } }');
  await until(() => held.length === 2);
  expect(serving.state.concurrency.under('broker')).toBe(2);
  for (const socket of held) socket.write(json('late'));
  expect(await Promise.all(answers)).toEqual(['200', '200']);
  expect(serving.state.concurrency.under('broker')).toBe(0);
});

test('what cannot be taken changes nothing', async () => {
  await begin();
  const tiers = 'tiers: { hot: druid/hot, cold: druid/broker }';
  const auth = 'loadRules: { auth: { user: u, passwordFile: none } }';
  expect(() =>
    reload('cors: { origins: [https://bi.example.com] }', `brokers: { ${tiers}, ${auth} }`),
  ).toThrow(/^brokers\.loadRules\.auth\.passwordFile: .*none cannot be read \(ENOENT\)$/);
  druid.script = (_, socket) => socket.write(json('now'));
  expect(await ask(ORIGIN)).toBe('200');
});

test('load rules are read anew where that has changed, and go on being read where it has not', async () => {
  druid.script = (_, socket) => socket.write(json({ _default: [] }));
  cluster.lead('coordinator', druid.origin);
  const tiers = 'tiers: { hot: druid/hot, cold: druid/broker }';
  await begin(`brokers: { ${tiers} }`);
  await until(() => serving.rules.ageMs !== null);
  const asked = (): number => druid.requests.filter(({ target }) => target.endsWith('/rules')).length;
  reload(`brokers: { ${tiers} }`, 'parking: { maxWait: 1s }');
  expect([serving.rules.ageMs === null, asked()]).toEqual([false, 1]);
  reload(`brokers: { ${tiers}, loadRules: { pollInterval: 30m } }`);
  expect(serving.rules.ageMs).not.toBeNull();
  await until(() => asked() === 2);
  reload();
  expect(serving.rules.ageMs).toBeNull();
  reload(`brokers: { ${tiers} }`);
  await until(() => serving.rules.ageMs !== null);
});

test('a hundred changes leave no listener and count nothing twice', async () => {
  await begin();
  const before = cluster.listenerCount('view');
  const answer = ask();
  await until(() => held.length === 1);
  for (let i = 1; i <= 100; i++) reload(`parking: { maxWait: ${i}s }`);
  expect(cluster.listenerCount('view')).toBe(before);
  expect([serving.inFlight, serving.state.concurrency.under('broker')]).toEqual([1, 1]);
  held[0]?.write(json('late'));
  expect(await answer).toBe('200');
  expect([serving.inFlight, serving.state.concurrency.under('broker')]).toEqual([0, 0]);
});
