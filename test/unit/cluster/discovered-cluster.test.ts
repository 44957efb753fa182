import { afterEach, describe, expect, test } from 'vitest';
import type { Cluster } from '../../../src/cluster/cluster.ts';
import { createCluster } from '../../../src/cluster/discovered-cluster.ts';
import type { UpstreamNode } from '../../../src/cluster/node.ts';
import type { ProbeAnswer } from '../../../src/cluster/probe.ts';
import type { ClusterView } from '../../../src/cluster/view.ts';
import type { MasterRole } from '../../../src/discovery/discovery.ts';
import { type RecordedErrors, recordErrors } from '../../kit/gateway/recorded-errors.ts';
import {
  FakeDiscovery,
  FakeProbes,
  NOT_FOUND,
  OK,
  REFUSED,
  SELF_REDIRECT,
  SILENT,
  UNAVAILABLE,
} from './fakes.ts';

const A = 'http://10.0.0.1:8081';
const B = 'http://10.0.0.2:8081';

let cluster: Cluster;
let discovery: FakeDiscovery;
let probes: FakeProbes;
let time = 1_000;
let errors: RecordedErrors;
/** So many readings of the clock throw. */
let clockFaults = 0;

function begin(kind: 'zookeeper' | 'static' = 'zookeeper'): void {
  time = 1_000;
  discovery = new FakeDiscovery(kind);
  probes = new FakeProbes();
  errors = recordErrors();
  clockFaults = 0;
  cluster = createCluster({
    discovery,
    errors,
    leaderProbeIntervalMs: 20,
    leaderConfirmIntervalMs: 5,
    leaderProbeTimeoutMs: 1_000,
    brokerProbeTimeoutMs: 1_000,
    brokerHealth: {
      probeIntervalMs: 20,
      outlier: { failures: 3, ejectionMs: 100, maxEjectionMs: 300 },
      maxEjectedShare: 0.5,
      slowStartMs: 1_000,
      emptyGraceMs: 150,
    },
    now: () => {
      if (clockFaults-- > 0) throw new Error('no time');
      return time;
    },
    random: () => 0.5,
    probes: { leaders: probes, brokers: probes },
  });
  cluster.start();
}

afterEach(async () => {
  await cluster.close();
});

/** Resolves with the first view, the present one included, of which this is true. */
async function view(holds: (view: ClusterView) => boolean): Promise<ClusterView> {
  while (!holds(cluster.view)) await new Promise((resolve) => cluster.once('view', resolve));
  return cluster.view;
}

/** Until every master has been asked so often again. */
async function rounds(count: number): Promise<void> {
  const enough = probes.asked.length + count;
  while (probes.asked.length < enough) await new Promise((resolve) => setImmediate(resolve));
}

const serving = (role: MasterRole, origin: string) => (v: ClusterView) =>
  v.leaders[role].state === 'serving' && v.leaders[role].node?.origin === origin;

function elect(origin: string | null, sequence: number): void {
  discovery.announce('coordinator', A, B);
  discovery.latch('coordinator', { sequence, origin });
}

test('a view is as old as the last reading, also where nothing has changed since', async () => {
  begin();
  const { version } = cluster.view;
  discovery.snapshot = { ...discovery.snapshot, readAt: 50_000 };
  discovery.emit('read');
  expect(cluster.view.readAt).toBe(50_000);
  expect(cluster.view.version).toBeGreaterThan(version);
});

describe('the leader by latch', () => {
  test('serves once it says so itself, through a self-redirect, a 503 and a 404', async () => {
    begin();
    probes.master('coordinator', A, SELF_REDIRECT);
    elect(A, 7);
    expect(cluster.view.leaders.coordinator).toMatchObject({
      state: 'elected',
      term: 7,
      waitReason: 'leader_initialising',
    });
    for (const answer of [UNAVAILABLE, NOT_FOUND]) {
      probes.master('coordinator', A, answer);
      await rounds(3);
      expect(cluster.view.leaders.coordinator.state).toBe('elected');
    }
    probes.master('coordinator', A, OK);
    const { leaders } = await view(serving('coordinator', A));
    expect(leaders.coordinator).toMatchObject({ term: 7, knownBy: 'both', waitReason: null });
  });

  test('serves on while requests are refused and `isLeader` says 200, which is asked now and then', async () => {
    begin();
    probes.master('coordinator', A, OK);
    elect(A, 1);
    const { leaders } = await view(serving('coordinator', A));
    const node = leaders.coordinator.node as UpstreamNode;
    let elections = 0;
    cluster.on('leader', () => elections++);
    const asked = probes.asked.length;
    for (let i = 0; i < 100; i++) cluster.report(node, 'unavailable');
    expect(probes.asked.length).toBeLessThanOrEqual(asked + 2);
    await rounds(4);
    expect([cluster.view.leaders.coordinator, elections]).toEqual([leaders.coordinator, 0]);
    probes.master('coordinator', A, UNAVAILABLE);
    time += 1_000;
    cluster.report(node, 'unavailable');
    await view((v) => v.leaders.coordinator.state === 'elected');
    expect(cluster.view.leaders.coordinator.waitReason).toBe('leader_initialising');
  });

  test('a port that is not open yet is a leader that cannot be reached yet', async () => {
    begin();
    probes.master('coordinator', A, REFUSED);
    elect(A, 1);
    await view((v) => v.leaders.coordinator.waitReason === 'leader_unreachable');
    probes.master('coordinator', A, OK);
    await view(serving('coordinator', A));
  });

  test('a holder whose data names no node still leads: the next in line does not', async () => {
    begin();
    probes.master('coordinator', B, OK);
    discovery.announce('coordinator', A, B);
    discovery.latch('coordinator', { sequence: 1, origin: null }, { sequence: 2, origin: B });
    // Both have been asked, and their answers are in.
    expect(probes.asked).toHaveLength(2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(cluster.view.leaders.coordinator).toMatchObject({ state: 'elected', node: null, term: 1 });
  });

  test('what a node said before it was elected does not count', async () => {
    begin();
    probes.master('coordinator', A, OK);
    probes.master('coordinator', B, OK);
    elect(A, 1);
    await view(serving('coordinator', A));
    await rounds(4);
    // B says `isLeader` 200 all the time, as a thawed former leader does; elected, it must say it anew.
    probes.master('coordinator', B, NOT_FOUND);
    discovery.latch('coordinator', { sequence: 2, origin: B });
    expect(cluster.view.leaders.coordinator).toMatchObject({ state: 'elected', term: 2 });
    probes.master('coordinator', B, OK);
    await view(serving('coordinator', B));
  });

  test('a node that says it leads while the latch names another gets nothing, and is reported', async () => {
    begin();
    probes.master('coordinator', A, OK);
    probes.master('coordinator', B, NOT_FOUND);
    elect(A, 1);
    await view(serving('coordinator', A));
    const conflict = new Promise((resolve) => cluster.once('conflict', resolve));
    time += 60_000;
    probes.master('coordinator', B, OK);
    discovery.turn('connected');
    discovery.turn('suspended');
    discovery.turn('connected');
    await expect(conflict).resolves.toEqual({ role: 'coordinator', latch: A, claims: B });
    expect(cluster.view.leaders.coordinator.node?.origin).toBe(A);
  });

  test('one silent probe does not stop requests, a second one does', async () => {
    begin();
    probes.master('coordinator', A, OK);
    elect(A, 1);
    await view(serving('coordinator', A));
    const views: ClusterView[] = [];
    cluster.on('view', (v) => views.push(v));
    probes.master('coordinator', A, SILENT);
    const { leaders } = await view((v) => v.leaders.coordinator.state === 'elected');
    expect(leaders.coordinator.waitReason).toBe('leader_unreachable');
    const silences = probes.asked.length;
    expect(silences).toBeGreaterThan(2);
  });

  test('a request that found a closed port makes it confirm anew', async () => {
    begin();
    probes.master('coordinator', A, OK);
    elect(A, 1);
    const { leaders } = await view(serving('coordinator', A));
    probes.master('coordinator', A, REFUSED);
    const { node } = leaders.coordinator;
    if (node !== null) cluster.report(node, 'connect_failed');
    expect(cluster.view.leaders.coordinator).toMatchObject({
      state: 'elected',
      waitReason: 'leader_unreachable',
    });
    probes.master('coordinator', A, OK);
    await view(serving('coordinator', A));
  });

  test('nobody in the latch is nobody to send to, whatever nodes say', async () => {
    begin();
    probes.master('coordinator', A, OK);
    elect(A, 1);
    await view(serving('coordinator', A));
    discovery.latch('coordinator');
    expect(cluster.view.leaders.coordinator).toMatchObject({
      state: 'none',
      node: null,
      waitReason: 'no_leader',
    });
  });

  test('one process can hold both latches', async () => {
    begin();
    probes.master('coordinator', A, OK);
    probes.master('overlord', A, OK);
    elect(A, 1);
    discovery.announce('overlord', A);
    discovery.latch('overlord', { sequence: 1, origin: A });
    const both = await view((v) => serving('coordinator', A)(v) && serving('overlord', A)(v));
    expect(both.leaders.coordinator.node).toBe(both.leaders.overlord.node);
    expect(both.roles.get(A)).toEqual(['coordinator', 'overlord']);
  });
});

describe('without ZooKeeper', () => {
  test('the confirmed leader goes on while it says that it leads and names itself', async () => {
    begin();
    probes.master('coordinator', A, OK);
    elect(A, 1);
    await view(serving('coordinator', A));
    discovery.turn('suspended');
    expect(cluster.view.leaders.coordinator.state).toBe('serving');
    discovery.turn('lost');
    const { leaders } = await view((v) => v.leaders.coordinator.knownBy === 'probe');
    expect(leaders.coordinator).toMatchObject({ state: 'serving', term: 1 });
  });

  test('a zombie that says it leads but names another is not believed', async () => {
    begin();
    probes.master('coordinator', A, OK, B);
    probes.master('coordinator', B, NOT_FOUND);
    elect(A, 1);
    await view(serving('coordinator', A));
    discovery.turn('lost');
    const { leaders } = await view((v) => v.leaders.coordinator.state !== 'serving');
    expect(leaders.coordinator.waitReason).toBe('discovery_stale');
  });

  test('a leader that moved meanwhile is found by asking all', async () => {
    begin();
    probes.master('coordinator', A, OK);
    probes.master('coordinator', B, NOT_FOUND);
    elect(A, 1);
    await view(serving('coordinator', A));
    probes.master('coordinator', A, NOT_FOUND);
    probes.master('coordinator', B, OK);
    discovery.turn('lost');
    const { leaders } = await view(serving('coordinator', B));
    expect(leaders.coordinator).toMatchObject({ knownBy: 'probe', term: null });
    discovery.turn('connected');
    discovery.latch('coordinator', { sequence: 2, origin: B });
    await view((v) => v.leaders.coordinator.term === 2);
    expect(cluster.view.leaders.coordinator.state).toBe('serving');
  });

  test('static nodes lead by what they say', async () => {
    begin('static');
    probes.master('coordinator', A, NOT_FOUND);
    probes.master('coordinator', B, OK);
    discovery.announce('coordinator', A, B);
    await view(serving('coordinator', B));
  });

  test.each([
    ['http://[::1]:8081', '"http://[0:0:0:0:0:0:0:1]:8081"'],
    ['http://10.0.0.1:80', 'http://[::ffff:10.0.0.1]'],
    ['http://druid-1.example:8081', 'HTTP://Druid-1.Example.:8081/'],
  ])('static, %s serves though it calls itself %s', async (origin, names) => {
    begin('static');
    probes.master('coordinator', origin, OK, names);
    discovery.announce('coordinator', origin);
    await view(serving('coordinator', origin));
  });

  test('static, a node that names another one does not serve', async () => {
    begin('static');
    probes.master('coordinator', A, OK, 'http://[::ffff:10.0.0.2]:8081');
    discovery.announce('coordinator', A);
    await rounds(6);
    expect(cluster.view.leaders.coordinator.state).toBe('none');
  });

  describe('where `leader` wants credentials', () => {
    const untold = (origin: string, isLeader: ProbeAnswer): void => {
      probes.master('coordinator', origin, isLeader);
      const url = `${origin}/druid/coordinator/v1/leader`;
      probes.answers.set(url, { kind: 'answer', status: 401, body: '' });
    };

    test('the only one that says that it leads is believed, static or not', async () => {
      begin('static');
      untold(A, NOT_FOUND);
      untold(B, OK);
      discovery.announce('coordinator', A, B);
      await view(serving('coordinator', B));
      untold(B, NOT_FOUND);
      untold(A, OK);
      await view(serving('coordinator', A));
      await cluster.close();

      begin();
      untold(A, OK);
      untold(B, NOT_FOUND);
      elect(A, 1);
      await view(serving('coordinator', A));
      discovery.turn('lost');
      const { leaders } = await view((v) => v.leaders.coordinator.knownBy === 'probe');
      expect(leaders.coordinator).toMatchObject({ state: 'serving', term: 1 });
    });

    test('of two that say so, none is', async () => {
      begin('static');
      untold(A, OK);
      untold(B, NOT_FOUND);
      discovery.announce('coordinator', A, B);
      await view(serving('coordinator', A));
      untold(B, OK);
      const { leaders } = await view((v) => v.leaders.coordinator.state === 'none');
      expect(leaders.coordinator.waitReason).toBe('no_leader');
      untold(A, NOT_FOUND);
      await view(serving('coordinator', B));
    });
  });
});

test('a fault in taking over one part of what discovery says leaves the others, and is told', async () => {
  begin();
  elect(A, 1);
  probes.master('coordinator', A, OK);
  await view(serving('coordinator', A));
  probes.broker('http://10.0.0.3:8082', OK);
  clockFaults = 1;
  discovery.announce('broker', 'http://10.0.0.3:8082');
  expect(errors.lines).toMatchObject([{ place: 'discovery', error: 'Error: no time' }]);
  await view(({ pools }) => pools.get('druid/broker')?.length === 1);
  elect(B, 2);
  probes.master('coordinator', B, OK);
  await view(serving('coordinator', B));
});

test('very many Brokers that become ready do not make a view each', async () => {
  begin();
  const origins = Array.from({ length: 1_000 }, (_, i) => `http://10.1.0.1:${i + 1}`);
  for (const origin of origins) probes.broker(origin, OK);
  let views = 0;
  cluster.on('view', () => views++);
  discovery.announce('broker', ...origins);
  await view(({ pools }) => pools.get('druid/broker')?.length === 1_000);
  expect(views).toBeLessThan(100);
});

describe('the Brokers', () => {
  const names = (v: ClusterView): string[] =>
    (v.pools.get('druid/broker') ?? []).map((n) => n.origin).toSorted();

  test('one that is announced but not ready gets nothing', async () => {
    begin();
    probes.broker(A, UNAVAILABLE);
    probes.broker(B, OK);
    discovery.announce('broker', A, B);
    await view((v) => names(v).length === 1);
    expect(names(cluster.view)).toEqual([B]);
    expect(cluster.view.brokers.map(({ ready, why }) => [ready, why])).toEqual([
      [false, expect.stringContaining('503')],
      [true, 'announced and ready'],
    ]);
    probes.broker(A, OK);
    await view((v) => names(v).length === 2);
  });

  test('`/status/ready` counts where it exists', async () => {
    begin();
    probes.broker(A, OK, UNAVAILABLE);
    probes.broker(B, OK, NOT_FOUND);
    discovery.announce('broker', A, B);
    await view((v) => names(v).includes(B));
    await rounds(6);
    expect(names(cluster.view)).toEqual([B]);
  });

  test('one that refused a request is out until it says that it is ready again', async () => {
    begin();
    probes.broker(A, OK);
    discovery.announce('broker', A);
    const [node] = (await view((v) => names(v).length === 1)).pools.get('druid/broker') ?? [];
    probes.broker(A, REFUSED);
    if (node !== undefined) cluster.report(node, 'connect_failed');
    expect(names(cluster.view)).toEqual([]);
    probes.broker(A, OK);
    await view((v) => names(v).length === 1);
  });

  test('counters outlive leaving and coming back with a request under way', async () => {
    begin();
    probes.broker(A, OK);
    discovery.announce('broker', A);
    const [node] = (await view((v) => names(v).length === 1)).pools.get('druid/broker') ?? [];
    node?.begin();
    discovery.announce('broker', B);
    expect(cluster.view.brokers.map((broker) => broker.node.origin)).toEqual([B]);
    discovery.announce('broker', A);
    const [again] = (await view((v) => names(v).length === 1)).pools.get('druid/broker') ?? [];
    expect(again).toBe(node);
  });

  test('discovery being away changes nothing about them', async () => {
    begin();
    probes.broker(A, OK);
    discovery.announce('broker', A);
    await view((v) => names(v).length === 1);
    discovery.turn('lost');
    await rounds(3);
    expect(names(cluster.view)).toEqual([A]);
  });

  /** The Broker at this origin, once all of these are in the pool. */
  async function whole(origin: string, ...others: string[]): Promise<UpstreamNode> {
    for (const each of [origin, ...others]) probes.broker(each, OK);
    discovery.announce('broker', origin, ...others);
    const { nodes } = await view((v) => names(v).length === others.length + 1);
    const node = nodes.get(origin);
    if (node === undefined) throw new Error('it is not there');
    return node;
  }

  const fail = (node: UpstreamNode, times: number): void => {
    for (let i = 0; i < times; i++) cluster.report(node, 'reset');
  };

  test('one whose requests fail in a row is out for a time, longer with every time, and comes back', async () => {
    begin();
    const node = await whole(A, B);
    const durations: number[] = [];
    cluster.on('ejection', ({ durationMs }) => durations.push(durationMs));
    fail(node, 2);
    cluster.report(node, 'ok');
    fail(node, 2);
    expect(names(cluster.view)).toEqual([A, B]);
    for (let i = 0; i < 4; i++) {
      fail(node, 3);
      expect(names(cluster.view)).toEqual([B]);
      // What was under way and fails while it is out does not count.
      fail(node, 3);
      time += durations.at(-1) ?? 0;
      await view((v) => names(v).length === 2);
    }
    expect(durations).toEqual([100, 200, 300, 300]);
    time += 300;
    cluster.report(node, 'ok');
    fail(node, 3);
    expect(durations.at(-1)).toBe(100);
  });

  test('not more than half of them are ejected, and all ready ones are tried when the others stop', async () => {
    begin();
    const C = 'http://10.0.0.3:8082';
    const D = 'http://10.0.0.4:8082';
    await whole(A, B, C, D);
    for (const origin of [A, B, C, D]) fail(cluster.view.nodes.get(origin) as UpstreamNode, 3);
    expect(names(cluster.view)).toEqual([C, D]);
    probes.broker(C, UNAVAILABLE);
    probes.broker(D, UNAVAILABLE);
    await view((v) => names(v).join() === [A, B].join());
  });

  test('a single one is never ejected', async () => {
    begin();
    const node = await whole(A);
    fail(node, 30);
    expect(names(cluster.view)).toEqual([A]);
  });

  test('one that comes later begins with a small share; those found at the start do not', async () => {
    begin();
    const node = await whole(A, B);
    expect(node.share).toBe(1);
    const C = 'http://10.0.0.3:8082';
    const late = await whole(C, A, B);
    expect(late.share).toBeCloseTo(0.1);
    time += 500;
    while (late.share < 0.5) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(late.share).toBeCloseTo(0.5);
    time += 500;
    while (late.share < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(node.share).toBe(1);
  });

  test('a cordoned one gets no more queries until it is returned, also when it leaves and comes back', async () => {
    begin();
    const node = await whole(A, B);
    cluster.cordon(node.hostAndPort, true);
    expect(names(cluster.view)).toEqual([B]);
    expect(cluster.view.brokers[0]).toMatchObject({ cordoned: true, why: 'cordoned by an operator' });
    discovery.announce('broker', B);
    discovery.announce('broker', A, B);
    await rounds(8);
    expect(names(cluster.view)).toEqual([B]);
    cluster.cordon(node.hostAndPort, false);
    await view((v) => names(v).length === 2);
  });

  test('an empty list does not empty the pool at once, but those that are really gone leave it', async () => {
    begin();
    await whole(A, B);
    probes.broker(B, REFUSED);
    discovery.announce('broker');
    expect(cluster.view.brokers.length).toBe(2);
    await view((v) => names(v).join() === A);
    discovery.announce('broker', A, B);
    discovery.announce('broker');
    await view((v) => v.brokers.length === 0);
  });
});
