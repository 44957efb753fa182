import { beforeEach, describe, expect, test } from 'vitest';
import type { UpstreamNode } from '../../../../src/cluster/node.ts';
import type { ClusterView } from '../../../../src/cluster/view.ts';
import type { FromWorker } from '../../../../src/workers/protocol/messages.ts';
import { encodeView } from '../../../../src/workers/protocol/view-codec.ts';
import { type ClusterReplica, createClusterReplica } from '../../../../src/workers/worker/cluster-replica.ts';
import { createSharedJdbcConnections } from '../../../../src/workers/worker/shared-jdbc-connections.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import { EMPTY_VIEW, serving } from '../../admin/fakes.ts';
import { nodesOf } from '../views.ts';

const [master, one, two] = nodesOf('10.0.0.9:8081', '10.0.0.1:8082', '10.0.0.2:8082') as [
  UpstreamNode,
  UpstreamNode,
  UpstreamNode,
];
const VIEW: ClusterView = {
  ...EMPTY_VIEW,
  complete: true,
  leaders: { ...EMPTY_VIEW.leaders, coordinator: serving('coordinator', master, 7, 100) },
  brokers: [one, two].map((node) => ({
    node,
    service: 'druid/broker',
    ready: true,
    cordoned: false,
    ejected: false,
    why: 'announced and ready',
  })),
  pools: new Map([['druid/broker', [one, two]]]),
  nodes: new Map([master, one, two].map((node) => [node.origin, node])),
};

let sent: FromWorker[];
let cluster: ClusterReplica;
const here = (node: UpstreamNode): UpstreamNode => cluster.view.nodes.get(node.origin) as UpstreamNode;
const pool = (): string[] => (cluster.view.pools.get('druid/broker') ?? []).map((node) => node.origin);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  sent = [];
  cluster = createClusterReplica({
    view: encodeView(VIEW),
    watched: [],
    errors: recordErrors(),
    watchMs: 60_000,
    send: (message) => void sent.push(message),
    now: () => 500,
  });
});

describe('reports', () => {
  test('of successes are not told as long as nobody fails', async () => {
    for (let i = 0; i < 1000; i++) cluster.report(here(one), 'ok');
    await turn();
    expect(sent).toEqual([]);
  });

  test('of one turn are one message, in their order', async () => {
    cluster.report(here(one), 'reset');
    cluster.report(here(two), 'reset');
    cluster.report(here(one), 'ok');
    cluster.report(here(one), 'reset');
    await turn();
    cluster.report(here(two), 'reset');
    await turn();
    expect(sent).toEqual([
      {
        kind: 'reports',
        report: 1,
        outcomes: [
          [one.origin, 'reset'],
          [two.origin, 'reset'],
          [one.origin, 'ok'],
          [one.origin, 'reset'],
        ],
      },
      { kind: 'reports', report: 2, outcomes: [[two.origin, 'reset']] },
    ]);
  });

  test('a success after a failure of somebody else is told once', async () => {
    cluster.watch([two.origin]);
    for (let i = 0; i < 10; i++) {
      cluster.report(here(one), 'ok');
      cluster.report(here(two), 'ok');
    }
    await turn();
    expect(sent).toEqual([{ kind: 'reports', report: 1, outcomes: [[two.origin, 'ok']] }]);
    cluster.watch([two.origin]);
    cluster.report(here(two), 'ok');
    await turn();
    expect(sent).toHaveLength(2);
  });
});

describe('doubts', () => {
  test('a leader that does not lead is not believed to until the primary has heard', async () => {
    const before = cluster.view;
    let views = 0;
    cluster.on('view', () => views++);
    cluster.report(here(master), 'not_leader');
    expect(cluster.view.leaders.coordinator).toMatchObject({
      state: 'elected',
      node: here(master),
      term: 7,
      since: 500,
      waitReason: 'leader_initialising',
    });
    expect(views).toBe(1);
    expect(cluster.view.version).toBeGreaterThan(before.version);
    await turn();
    // What the primary had sent before it heard.
    cluster.applyView({ head: encodeView({ ...VIEW, readAt: 1 }).head });
    expect(cluster.view.leaders.coordinator.state).toBe('elected');
    cluster.acknowledged(0);
    expect(cluster.view.leaders.coordinator.state).toBe('elected');
    cluster.acknowledged(1);
    expect(cluster.view.leaders.coordinator.state).toBe('serving');
  });

  test('a leader that refuses a request serves on, also where it was cut off later', async () => {
    const { view } = cluster;
    cluster.report(here(master), 'unavailable');
    expect(cluster.view).toBe(view);
    cluster.report(here(one), 'connect_failed');
    expect(cluster.view.leaders.coordinator.state).toBe('serving');
    cluster.report(here(master), 'reset');
    expect(cluster.view.leaders.coordinator).toMatchObject({
      state: 'elected',
      waitReason: 'leader_unreachable',
    });
  });

  test('another leader is believed at once', () => {
    cluster.report(here(master), 'connect_failed');
    expect(cluster.view.leaders.coordinator.waitReason).toBe('leader_unreachable');
    const leaders = { ...VIEW.leaders, coordinator: serving('coordinator', one, 8) };
    cluster.applyView(encodeView({ ...VIEW, leaders }));
    expect(cluster.view.leaders.coordinator).toMatchObject({ state: 'serving', node: here(one), term: 8 });
  });

  test('a Broker that refuses is out at once, one that resets is not', async () => {
    // Nothing changes for those who wait, so that they do not look again.
    const { view } = cluster;
    cluster.report(here(one), 'reset');
    expect(cluster.view).toBe(view);
    cluster.report(here(one), 'connect_failed');
    expect(pool()).toEqual([two.origin]);
    expect(cluster.view.brokers.map(({ ready }) => ready)).toEqual([false, true]);
    await turn();
    // A later failure is not heard with an earlier report.
    cluster.report(here(two), 'unavailable');
    cluster.acknowledged(1);
    expect(pool()).toEqual([one.origin]);
    cluster.acknowledged(2);
    expect(pool()).toEqual([one.origin, two.origin]);
  });
});

test('what was counted at Brokers is named', () => {
  here(one).traffic.answered(7, false, performance.now());
  expect(cluster.traffic.map(([origin, [attempts, errors, ms]]) => [origin, attempts, errors, ms])).toEqual([
    [one.origin, 1, 0, 7],
  ]);
});

test('loads name the nodes that have something', () => {
  here(one).recount(2);
  expect(cluster.loads).toEqual([[one.origin, 2]]);
});

describe('an error when something is sent', () => {
  const fail = (): never => {
    throw new Error('no channel');
  };

  test('is told; what the primary was not told is in doubt no more, and the next report is sent', async () => {
    const errors = recordErrors();
    const told: FromWorker[] = [];
    let send: (message: FromWorker) => void = fail;
    cluster = createClusterReplica({
      view: encodeView(VIEW),
      watched: [],
      errors,
      watchMs: 60_000,
      send: (message) => send(message),
    });
    cluster.report(here(master), 'connect_failed');
    expect(cluster.view.leaders.coordinator.state).toBe('elected');
    await turn();
    expect(errors.lines).toMatchObject([{ place: 'worker', error: 'Error: no channel' }]);
    expect(cluster.view.leaders.coordinator.state).toBe('serving');
    send = (message) => told.push(message);
    cluster.report(here(one), 'reset');
    await turn();
    expect(told).toEqual([{ kind: 'reports', report: 2, outcomes: [[one.origin, 'reset']] }]);
  });

  test('is told; the next JDBC connections are told to the others', async () => {
    const errors = recordErrors();
    const shared: unknown[] = [];
    let fails = true;
    const connections = createSharedJdbcConnections(
      10,
      (entries) => {
        if (fails) fail();
        shared.push(...entries);
      },
      errors,
    );
    connections.remember('a', '10.0.0.1:8082');
    await turn();
    expect(errors.lines).toMatchObject([{ place: 'worker', error: 'Error: no channel' }]);
    fails = false;
    connections.remember('b', '10.0.0.1:8082');
    await turn();
    expect(shared).toEqual([['b', '10.0.0.1:8082']]);
    expect(connections.brokerOf('a')).toBe('10.0.0.1:8082');
  });
});
