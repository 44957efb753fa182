import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Addresses, type Lookup } from '../../../../src/feeds/addresses.ts';
import { HaproxyFeed } from '../../../../src/feeds/haproxy/feed.ts';
import { PublishedView } from '../../../../src/feeds/published-view.ts';
import { type RecordedErrors, recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import { FakeCluster, FakeDiscovery, node, serving } from '../../admin/fakes.ts';
import { broker } from '../views.ts';
import { HaproxyModel } from './model.ts';

/** Waits for something that happens within milliseconds, on a slow machine too. */
const soon = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 5 });

let cluster: FakeCluster;
let errors: RecordedErrors;
let published: PublishedView;
let haproxy: HaproxyModel;
let feed: HaproxyFeed;
let said: [string, object][];
let ask: (line: string) => Promise<string>;
let lookup: Lookup;

function configure(): void {
  haproxy.configure('c', 'leader1', 'leader2', 'gateway');
  haproxy.configure('o', 'leader1', 'leader2');
  haproxy.configure('b', 'gateway');
}

beforeEach(() => {
  cluster = new FakeCluster();
  cluster.show({ complete: true });
  errors = recordErrors();
  published = new PublishedView({ cluster, discovery: new FakeDiscovery(), draining: () => false, errors });
  haproxy = new HaproxyModel();
  configure();
  said = [];
  ask = async (line) => haproxy.take(line);
  lookup = async () => '10.0.0.1';
  feed = new HaproxyFeed({
    published,
    backends: { coordinator: 'c', overlord: 'o', brokers: [{ service: 'druid/broker', backend: 'b' }] },
    serverOptions: '',
    intervalMs: 20,
    ask: (line) => ask(line),
    addresses: new Addresses({ lookup: (name) => lookup(name) }),
    candidates: () => [],
    logger: {
      info: (fields, message) => void said.push([message, fields]),
      warn: (fields, message) => void said.push([message, fields]),
    },
    errors,
  });
});

afterEach(async () => {
  await feed.close();
  published.close();
  expect(errors.lines).toEqual([]);
});

const ready = (backend: string): string[] =>
  haproxy
    .servers(backend)
    .filter(({ state }) => state === 'ready')
    .map(({ address, port }) => `${address}:${port}`);

test('leaders and Brokers are put in, follow the view, and come back after a reload of HAProxy', async () => {
  cluster.show({ brokers: [broker(node('10.0.0.5:8082')), broker(node('10.0.0.6:8082'))] });
  cluster.lead(serving('coordinator', node('10.0.0.2:8081'), 1));
  feed.start();
  await soon(() => expect(ready('b')).toEqual(['10.0.0.5:8082', '10.0.0.6:8082']));
  await soon(() => expect(ready('c')).toEqual(['10.0.0.2:8081']));
  cluster.lead(serving('coordinator', node('10.0.0.3:8081'), 2));
  await soon(() => expect(ready('c')).toEqual(['10.0.0.3:8081']));
  expect(haproxy.cut).toContain('c/leader1');
  cluster.show({ brokers: [broker(node('10.0.0.6:8082'), { ready: false, cordoned: true })] });
  await soon(() =>
    expect(haproxy.servers('b')).toMatchObject([
      { name: 'gateway' },
      { address: '10.0.0.6', state: 'drain' },
    ]),
  );
  configure();
  await soon(() => expect(ready('c')).toEqual(['10.0.0.3:8081']));
  await soon(() => expect(haproxy.servers('b')[1]).toMatchObject({ address: '10.0.0.6', state: 'drain' }));
  await soon(() => expect(feed.counts.up).toBe(true));
});

test('a node that is reached at an address is a server there, and one whose address changes moves', async () => {
  const [leader, one] = [node('c0.invalid:8081'), node('b0.invalid:8082')];
  leader.reachAt('10.0.0.2');
  one.reachAt('10.0.0.5');
  cluster.show({ brokers: [broker(one)] });
  cluster.lead(serving('coordinator', leader, 1));
  feed.start();
  await soon(() => expect([ready('b'), ready('c')]).toEqual([['10.0.0.5:8082'], ['10.0.0.2:8081']]));
  one.reachAt('10.0.0.6');
  leader.reachAt('10.0.0.3');
  cluster.show({});
  await soon(() => expect([ready('b'), ready('c')]).toEqual([['10.0.0.6:8082'], ['10.0.0.3:8081']]));
  await soon(() => expect(feed.counts.up).toBe(true));
});

test('while all is well HAProxy is only asked', async () => {
  cluster.lead(serving('coordinator', node('10.0.0.2:8081'), 1));
  feed.start();
  await soon(() => expect(ready('c')).toEqual(['10.0.0.2:8081']));
  const { commands } = feed.counts;
  let asked = 0;
  ask = async (line) => {
    asked++;
    return haproxy.take(line);
  };
  await soon(() => expect(asked).toBeGreaterThan(9));
  expect(feed.counts.commands).toBe(commands);
  expect(haproxy.written.length).toBe(commands);
});

test('before discovery is complete nothing is taken out', async () => {
  cluster.show({ complete: false });
  haproxy.take('set server c/leader1 state ready');
  let asked = false;
  ask = async (line) => {
    asked = true;
    return haproxy.take(line);
  };
  feed.start();
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(asked).toBe(false);
  cluster.show({ complete: true });
  await soon(() => expect(ready('c')).toEqual([]));
});

test('what is wrong is said once, and once that it is well again', async () => {
  ask = async () => {
    throw new Error('there is no such socket');
  };
  feed.start();
  await soon(() => expect(said.length).toBe(1));
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(said).toEqual([['HAProxy is not as the view says', { why: 'backend c: there is no such socket' }]]);
  expect(feed.counts.up).toBe(false);
  ask = async (line) => haproxy.take(line);
  await soon(() => expect(said.length).toBe(2));
  expect(said[1]?.[0]).toBe('HAProxy is as the view says');
});

test('a backend that HAProxy does not have keeps nobody from the others', async () => {
  haproxy.backends.delete('c');
  cluster.show({ brokers: [broker(node('10.0.0.5:8082'))] });
  feed.start();
  await soon(() => expect(ready('b')).toEqual(['10.0.0.5:8082']));
  await soon(() =>
    expect(said).toEqual([
      ['HAProxy is not as the view says', { why: "backend c: HAProxy says: Can't find backend." }],
    ]),
  );
});

test('a leader whose name cannot be resolved is nowhere, and the former one gets nothing more', async () => {
  cluster.lead(serving('coordinator', node('10.0.0.2:8081'), 1));
  feed.start();
  await soon(() => expect(ready('c')).toEqual(['10.0.0.2:8081']));
  lookup = async () => {
    throw new Error('getaddrinfo ENOTFOUND');
  };
  cluster.lead(serving('coordinator', node('m2.example.com:8081'), 2));
  await soon(() => expect(ready('c')).toEqual([]));
  await soon(() =>
    expect(said.at(-1)).toEqual([
      'HAProxy is not as the view says',
      { why: 'backend c: the host of m2.example.com:8081 cannot be resolved' },
    ]),
  );
});
