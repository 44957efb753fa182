import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  createRulesSource,
  type RulesSettings,
  type RulesSource,
  type RulesSourceOptions,
} from '../../../../src/routing/tiers/load-rules-source.ts';
import { FakeCluster } from '../../../kit/gateway/gateway-harness.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import { type FakeUpstream, json, startUpstream } from '../../../kit/upstream/fake-upstream.ts';

let coordinator: FakeUpstream;
let cluster: FakeCluster;
let source: RulesSource;

const RULES = { wiki: [{ type: 'loadForever', tieredReplicants: { hot: 1 } }], _default: [] };

beforeEach(async () => {
  coordinator = await startUpstream((_, socket) => void socket.write(json(RULES)));
  cluster = new FakeCluster();
  cluster.lead('coordinator', coordinator.origin);
});

afterEach(async () => {
  await source.stop();
  await coordinator.close();
});

function begin(settings: Partial<RulesSettings> = {}, services: Partial<RulesSourceOptions> = {}): void {
  source = createRulesSource({
    cluster,
    settings: { pollIntervalMs: 20, timeoutMs: 2_000, auth: null, ...settings },
    errors: recordErrors(),
    now: () => performance.now(),
    random: () => 0.5,
    ...services,
  });
  source.start();
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

test('the serving leader is asked again and again, with its own credentials', async () => {
  begin({ auth: { user: 'gateway', password: 'p:w' } });
  expect([source.book, source.ageMs]).toEqual([null, null]);
  await until(() => coordinator.requests.length >= 3);
  expect([...(source.book?.keys() ?? [])]).toEqual(['wiki', '_default']);
  expect(source.ageMs).toBeGreaterThanOrEqual(0);
  expect(coordinator.requests[0]).toMatchObject({ method: 'GET', target: '/druid/coordinator/v1/rules' });
  const authorization = coordinator.requests[0]?.header('authorization') ?? '';
  expect(Buffer.from(authorization.slice(6), 'base64').toString()).toBe('gateway:p:w');
});

test.each<[string, Buffer | null, RegExp]>([
  ['does not answer', null, /did not answer in time/],
  ['refuses', json({ error: 'x' }, '403 Forbidden'), /answered 403/],
  ['answers with something else', json([1]), /something other than load rules/],
  [
    'answers with no JSON',
    Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{'),
    /something other than load rules/,
  ],
  ['answers with too much', json('x'.repeat(9_000_000)), /more than 8 MiB/],
])(
  'when the leader %s, the last rules are kept, which is told once, and once when it is over',
  async (_, bad, told) => {
    begin({ timeoutMs: 200 });
    await until(() => source.book !== null);
    const { book } = source;
    const states: (string | null)[] = [];
    source.on('state', (state) => void states.push(state));
    const good = coordinator.script;
    coordinator.script = (_request, socket) => void (bad !== null && socket.write(bad));
    await once(source, 'state');
    const asked = coordinator.requests.length;
    await until(() => coordinator.requests.length >= asked + 2);
    expect(source.book).toBe(book);
    coordinator.script = good;
    await until(() => states.length === 2);
    expect(states).toEqual([expect.stringMatching(told), null]);
    expect(states.join()).not.toContain(coordinator.hostAndPort);
  },
);

test('an error of our own is told as such, and rules are read again', async () => {
  const errors = recordErrors();
  let faults = 1;
  const now = (): number => {
    if (faults-- > 0) throw new Error('no time');
    return performance.now();
  };
  begin({}, { errors, now });
  await until(() => source.book !== null);
  expect(coordinator.requests.length).toBeGreaterThan(1);
  expect(errors.lines).toMatchObject([{ place: 'probe', error: 'Error: no time' }]);
});

test('nobody is asked as long as nobody leads; the next leader is', async () => {
  cluster.unlead('coordinator');
  begin();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(coordinator.requests).toEqual([]);
  cluster.lead('coordinator', coordinator.origin);
  await until(() => source.book !== null);
});

test('until they are read, the rules of the source before hold, as old as they are', async () => {
  begin();
  await until(() => source.book !== null);
  const former = source;
  await former.stop();
  cluster.unlead('coordinator');
  await new Promise((resolve) => setTimeout(resolve, 30));
  begin({ timeoutMs: 3_000 }, { former });
  expect(source.book).toBe(former.book);
  expect(source.ageMs).toBeGreaterThanOrEqual(30);
  cluster.lead('coordinator', coordinator.origin);
  await until(() => source.book !== former.book);
  expect(source.ageMs).toBeLessThan(former.ageMs ?? 0);
});

test('a source that is stopped in the middle of a read tells nothing', async () => {
  coordinator.script = () => {};
  begin();
  const states: unknown[] = [];
  source.on('state', (state) => void states.push(state));
  await until(() => coordinator.requests.length === 1);
  await source.stop();
  await new Promise((resolve) => setImmediate(resolve));
  expect(states).toEqual([]);
});
