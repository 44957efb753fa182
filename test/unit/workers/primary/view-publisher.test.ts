import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createCluster } from '../../../../src/cluster/discovered-cluster.ts';
import type { NodeOutcome, UpstreamNode } from '../../../../src/cluster/node.ts';
import { createViewPublisher, type ViewPublisher } from '../../../../src/workers/primary/view-publisher.ts';
import type { PoolWorker } from '../../../../src/workers/primary/worker-pool.ts';
import type { FromWorker, ToWorker } from '../../../../src/workers/protocol/messages.ts';
import { type ClusterReplica, createClusterReplica } from '../../../../src/workers/worker/cluster-replica.ts';
import {
  createSharedJdbcConnections,
  type SharedJdbcConnections,
} from '../../../../src/workers/worker/shared-jdbc-connections.ts';
import { type RecordedErrors, recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import { FakeDiscovery, FakeProbes, OK, REFUSED } from '../../cluster/fakes.ts';

/** Two workers in this process, on a channel that delivers in the next turn, as a pipe does. */
interface FakeWorker {
  readonly member: PoolWorker;
  readonly heard: ToWorker[];
  readonly cluster: ClusterReplica;
  readonly connections: SharedJdbcConnections;
}

const MASTER = 'http://10.0.0.9:8081';
const BROKERS = ['http://10.0.0.1:8082', 'http://10.0.0.2:8082'] as const;

let discovery: FakeDiscovery;
let probes: FakeProbes;
let primary: ReturnType<typeof createCluster>;
let publisher: ViewPublisher;
let errors: RecordedErrors;
let workers: FakeWorker[];
/** What has reached the primary. */
let reported: NodeOutcome[];

function startWorker(number: number): FakeWorker {
  const heard: ToWorker[] = [];
  const member: PoolWorker = {
    number,
    pid: number,
    state: 'serving',
    since: 0,
    restarts: 0,
    lastExit: null,
    send(message) {
      setImmediate(() => {
        heard.push(message);
        if (message.kind === 'view') cluster.applyView(message.parts);
        if (message.kind === 'heard') cluster.acknowledged(message.report);
        if (message.kind === 'watch') cluster.watch(message.origins);
        if (message.kind === 'connections') connections.learn(message.entries);
      });
    },
  };
  const send = (message: FromWorker): void =>
    void setImmediate(() => {
      if (message.kind === 'reports') {
        publisher.reports(member, message);
        reported.push(...message.outcomes.map(([, outcome]) => outcome));
      }
      if (message.kind === 'connections') publisher.connections(message.entries);
    });
  const cluster = createClusterReplica({
    errors: recordErrors(),
    ...publisher.beginning,
    watchMs: 60_000,
    send,
  });
  const connections = createSharedJdbcConnections(
    100,
    (entries) => send({ kind: 'connections', entries }),
    recordErrors(),
  );
  const worker = { member, heard, cluster, connections };
  workers.push(worker);
  publisher.sendJdbcConnections(member);
  return worker;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

function nodeIn({ cluster }: FakeWorker, origin: string): UpstreamNode {
  const node = cluster.view.nodes.get(origin);
  if (node === undefined) throw new Error(`there is no node ${origin}`);
  return node;
}

const ready = ({ cluster }: FakeWorker): number => cluster.view.pools.get('druid/broker')?.length ?? 0;

beforeEach(async () => {
  discovery = new FakeDiscovery();
  probes = new FakeProbes();
  primary = createCluster({
    discovery,
    errors: recordErrors(),
    leaderProbeIntervalMs: 60_000,
    leaderConfirmIntervalMs: 10,
    leaderProbeTimeoutMs: 100,
    brokerProbeTimeoutMs: 100,
    brokerHealth: {
      probeIntervalMs: 60_000,
      outlier: { failures: 3, ejectionMs: 60_000, maxEjectionMs: 60_000 },
      maxEjectedShare: 0.5,
      slowStartMs: 0,
      emptyGraceMs: 0,
    },
    probes: { leaders: probes, brokers: probes },
  });
  workers = [];
  reported = [];
  errors = recordErrors();
  publisher = createViewPublisher({
    cluster: primary,
    workers: () => workers.map(({ member }) => member),
    watchMs: 60_000,
    errors,
  });
  probes.master('coordinator', MASTER, OK);
  for (const origin of BROKERS) probes.broker(origin, OK);
  startWorker(1);
  startWorker(2);
  primary.start();
  discovery.announce('coordinator', MASTER);
  discovery.latch('coordinator', { sequence: 7, origin: MASTER });
  discovery.announce('broker', ...BROKERS);
  await until(() => workers.every((worker) => ready(worker) === 2));
  await until(() => workers.every(({ cluster }) => cluster.view.leaders.coordinator.state === 'serving'));
});
afterEach(async () => {
  publisher.close();
  await primary.close();
});

const [first, second] = [
  (): FakeWorker => workers[0] as FakeWorker,
  (): FakeWorker => workers[1] as FakeWorker,
];

test('what one worker finds out of a leader, all have: it must confirm anew', async () => {
  probes.master('coordinator', MASTER, REFUSED);
  const { cluster } = first();
  cluster.report(nodeIn(first(), MASTER), 'connect_failed');
  expect(cluster.view.leaders.coordinator.state).toBe('elected');
  await until(() => second().cluster.view.leaders.coordinator.state === 'elected');
  await until(() => first().heard.some(({ kind }) => kind === 'heard'));
  expect(cluster.view.leaders.coordinator.state).toBe('elected');
  probes.master('coordinator', MASTER, OK);
  await until(() => workers.every((worker) => worker.cluster.view.leaders.coordinator.state === 'serving'));
});

test('failures in a row count over all workers, and a success of any ends the row', async () => {
  const watches = (): number => second().heard.filter(({ kind }) => kind === 'watch').length;
  const fail = async (worker: FakeWorker, times: number): Promise<void> => {
    const before = watches();
    for (let i = 0; i < times; i++) worker.cluster.report(nodeIn(worker, BROKERS[0]), 'reset');
    await until(() => watches() > before);
  };
  await fail(first(), 2);
  second().cluster.report(nodeIn(second(), BROKERS[0]), 'ok');
  await until(() => reported.includes('ok'));
  await fail(first(), 2);
  expect(primary.view.brokers.some(({ ejected }) => ejected)).toBe(false);
  await fail(second(), 1);
  await until(() => workers.every((worker) => ready(worker) === 1));
});

test('a Broker that refuses one worker is out for all until its next probe', async () => {
  probes.broker(BROKERS[0], REFUSED);
  first().cluster.report(nodeIn(first(), BROKERS[0]), 'connect_failed');
  expect(ready(first())).toBe(1);
  await until(() => ready(second()) === 1);
  probes.broker(BROKERS[0], OK);
  await until(() => workers.every((worker) => ready(worker) === 2));
});

test('all workers know a JDBC connection, the one that comes later too, and agree where two differ', async () => {
  first().connections.remember('a', '10.0.0.1:8082');
  await until(() => second().connections.brokerOf('a') === '10.0.0.1:8082');
  const third = startWorker(3);
  await until(() => third.connections.brokerOf('a') === '10.0.0.1:8082');
  first().connections.remember('b', '10.0.0.1:8082');
  second().connections.remember('b', '10.0.0.2:8082');
  await until(() => workers.every((worker) => told(worker, 'b') === 2));
  expect(new Set(workers.map(({ connections }) => connections.brokerOf('b'))).size).toBe(1);
  // What is known is not told again.
  for (let i = 0; i < 100; i++) first().connections.remember('a', '10.0.0.1:8082');
  first().connections.remember('c', '10.0.0.1:8082');
  await until(() => told(second(), 'c') === 1);
  expect(told(second(), 'a')).toBe(1);
});

describe('an error', () => {
  /** Whatever of the cluster's view is looked at next throws; the function ends that. */
  function breakView(): () => void {
    const view = vi.spyOn(primary, 'view', 'get').mockImplementation(() => {
      throw new Error('no view');
    });
    return () => view.mockRestore();
  }

  test('when a view is to be told is reported, and the view is told a second later', async () => {
    const mend = breakView();
    primary.cordon(BROKERS[0].replace('http://', ''), true);
    await until(() => errors.lines.some(({ stack }) => stack?.includes('at push') === true));
    mend();
    expect(new Set(errors.lines.map(({ place, error }) => `${place} ${error}`))).toEqual(
      new Set(['worker Error: no view']),
    );
    expect(workers.map(ready)).toEqual([2, 2]);
    await until(() => workers.every((worker) => ready(worker) === 1));
  });

  test('when the shares are told is reported, and they are told the next time', async () => {
    const mend = breakView();
    await until(() => errors.counts.worker > 1);
    mend();
    const node = primary.view.nodes.get(BROKERS[0]) as UpstreamNode;
    node.takeShare(0.5);
    await until(() => workers.every((worker) => nodeIn(worker, BROKERS[0]).share === 0.5));
  });

  test('when one worker is told is reported, and the others are told', async () => {
    const { member } = first();
    Object.assign(member, {
      send: () => {
        throw new Error('no channel');
      },
    });
    publisher.connections([['a', '10.0.0.1:8082']]);
    await until(() => second().connections.brokerOf('a') === '10.0.0.1:8082');
    expect(errors.lines).toMatchObject([{ place: 'worker', error: 'Error: no channel' }]);
  });

  test('at what a worker reports of one node ends nothing else of the report, which counts as heard', async () => {
    vi.spyOn(primary, 'report').mockImplementationOnce(() => {
      throw new Error('no report');
    });
    probes.broker(BROKERS[1], REFUSED);
    first().cluster.report(nodeIn(first(), BROKERS[0]), 'connect_failed');
    first().cluster.report(nodeIn(first(), BROKERS[1]), 'connect_failed');
    expect(ready(first())).toBe(0);
    await until(() => ready(second()) === 1);
    await until(() => ready(first()) === 1);
    expect(errors.lines).toMatchObject([{ place: 'worker', error: 'Error: no report' }]);
  });

  test('of loads that cannot be read leaves those of the others as they were', () => {
    publisher.loads(second().member, [[BROKERS[0], 3]]);
    expect(() => publisher.loads(first().member, [null] as never)).toThrow(TypeError);
    publisher.loads(second().member, [[BROKERS[0], 2]]);
    expect(primary.view.nodes.get(BROKERS[0])?.outstanding).toBe(2);
  });
});

/** How often this worker was told of a connection. */
function told({ heard }: FakeWorker, id: string): number {
  return heard.filter(
    (message) => message.kind === 'connections' && message.entries.some(([known]) => known === id),
  ).length;
}

test('the nodes of the primary add up what workers counted; totals of one that ended stay', () => {
  const node = primary.view.nodes.get(BROKERS[0]);
  const minute = (attempts: number, errors: number): number[] => [attempts, errors, 0, attempts - errors];
  publisher.traffic(first().member, [[BROKERS[0], [10, 1, 90, ...minute(4, 1)]]]);
  publisher.traffic(second().member, [
    [BROKERS[0], [20, 2, 100, ...minute(6, 0)]],
    ['http://10.9.9.9:1', [1, 1, 1]],
  ]);
  expect(node?.traffic.totals).toEqual({ attempts: 30, errors: 3, latencyMs: 190 });
  expect(node?.traffic.recent(0)).toMatchObject({ attempts: 10, errors: 1 });
  // What a worker says replaces what it said before.
  publisher.traffic(first().member, [[BROKERS[0], [11, 1, 95, ...minute(5, 1)]]]);
  expect(node?.traffic.totals.attempts).toBe(31);
  publisher.ended(first().member);
  publisher.ended(first().member);
  expect(node?.traffic.totals).toEqual({ attempts: 31, errors: 3, latencyMs: 195 });
  expect(node?.traffic.recent(0)).toMatchObject({ attempts: 6, errors: 0 });
});

test('the nodes of the primary count what all workers have under way', () => {
  const node = primary.view.nodes.get(BROKERS[0]);
  publisher.loads(first().member, [[BROKERS[0], 2]]);
  publisher.loads(second().member, [
    [BROKERS[0], 3],
    ['http://10.9.9.9:1', 1],
  ]);
  expect(node?.outstanding).toBe(5);
  publisher.loads(second().member, []);
  expect(node?.outstanding).toBe(2);
  publisher.loads(first().member, []);
  expect(node?.outstanding).toBe(0);
});
