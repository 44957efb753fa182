import type { Cluster } from '../../cluster/cluster.ts';
import type { UpstreamNode } from '../../cluster/node.ts';
import { addTotals, NO_TOTALS, type NodeCounts, type NodeTotals } from '../../cluster/node-traffic.ts';
import type { ClusterView } from '../../cluster/view.ts';
import { createJdbcConnections, MAX_JDBC_CONNECTIONS } from '../../exchange/druid/jdbc-connections.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import type { ConnectionEntry, FromWorker, Load, ToWorker, Traffic } from '../protocol/messages.ts';
import { createRecentlyFailedNodes } from '../protocol/recently-failed-nodes.ts';
import { changedParts, encodeShares, encodeView, type ViewParts } from '../protocol/view-codec.ts';
import type { PoolWorker } from './worker-pool.ts';

/** Changes of Brokers are gathered for this long, in ms; changes of leaders are sent at once. */
const GATHER_MS = 5;
/** Interval, in ms, for sending the shares of Brokers that start slowly. */
const SHARES_MS = 250;
/** Delay, in ms, before a view that could not be sent is tried again: what threw once will probably throw again. */
const AFTER_ERROR_MS = 1_000;
/** JDBC connections sent to a new worker in one message. */
const ENTRIES = 5_000;

type Reports = Extract<FromWorker, { kind: 'reports' }>;

/** Keeps the workers' picture of the cluster equal to the primary's, and takes in what they find out. */
export interface ViewPublisher {
  /** The current view and the watched origins, for a worker that starts. */
  readonly beginning: { readonly view: ViewParts; readonly watched: readonly string[] };
  sendJdbcConnections(worker: PoolWorker): void;
  /** Sends the view if it has changed. */
  push(): void;
  reports(worker: PoolWorker, reports: Reports): void;
  connections(entries: readonly ConnectionEntry[]): void;
  /**
   * Takes the requests this worker has in flight at the nodes. Call it with an empty list when the worker has
   * ended.
   */
  loads(worker: PoolWorker, loads: readonly Load[]): void;
  /** Takes what this worker has counted at the nodes since it started. */
  traffic(worker: PoolWorker, traffic: readonly Traffic[]): void;
  /** The worker has ended. Its totals stay in the sums, and its last minute does not. */
  ended(worker: PoolWorker): void;
  close(): void;
}

export interface ViewPublisherOptions {
  readonly cluster: Cluster;
  /** The workers to send to. */
  readonly workers: () => readonly PoolWorker[];
  /** See `RecentlyFailedNodes`. */
  readonly watchMs: number;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
}

/** Publishes the views of `cluster` until `close` is called. */
export function createViewPublisher({
  cluster,
  workers,
  watchMs,
  errors,
}: ViewPublisherOptions): ViewPublisher {
  const connections = createJdbcConnections(MAX_JDBC_CONNECTIONS);
  const recentlyFailed = createRecentlyFailedNodes(() => performance.now(), watchMs);
  const loadsOf = new Map<PoolWorker, readonly Load[]>();
  const trafficOf = new Map<PoolWorker, ReadonlyMap<UpstreamNode, NodeCounts>>();
  /** Totals of workers that have ended; they end with their node. */
  const retired = new WeakMap<UpstreamNode, NodeTotals>();
  let counted = new Set<UpstreamNode>();
  let told: ViewParts = encodeView(cluster.view);
  let leaders = cluster.view.leaders;
  let gathering: NodeJS.Timeout | null = null;

  const onError = (error: unknown): void => errors.report('worker', error);

  /** A worker that cannot be reached must not keep the message from the others. */
  function broadcast(message: ToWorker): void {
    for (const worker of workers()) contain(() => worker.send(message), onError);
  }

  function tell(next: ViewParts): void {
    const parts = changedParts(told, next);
    told = next;
    if (parts !== null) broadcast({ kind: 'view', parts });
  }

  function push(): void {
    if (gathering !== null) clearTimeout(gathering);
    gathering = null;
    tell(encodeView(cluster.view));
  }

  /** Retries on error; otherwise the workers would keep an old view until the next change. */
  function pushUntilTold(): void {
    contain(push, (error) => {
      onError(error);
      gathering ??= setTimeout(pushUntilTold, AFTER_ERROR_MS);
    });
  }

  const onView = (view: ClusterView): void => {
    const moved =
      view.leaders.coordinator !== leaders.coordinator || view.leaders.overlord !== leaders.overlord;
    leaders = view.leaders;
    if (moved) pushUntilTold();
    else gathering ??= setTimeout(pushUntilTold, GATHER_MS);
  };
  const warming = setInterval(
    () => contain(() => tell({ ...told, shares: encodeShares(cluster.view) }), onError),
    SHARES_MS,
  );
  cluster.on('view', onView);

  /** Sets the load of the primary's nodes to the sum over all workers. */
  function count(): void {
    const sums = new Map([...counted].map((node) => [node, 0]));
    counted = new Set();
    for (const [origin, outstanding] of [...loadsOf.values()].flat()) {
      const node = cluster.view.nodes.get(origin);
      if (node === undefined) continue;
      sums.set(node, (sums.get(node) ?? 0) + outstanding);
      counted.add(node);
    }
    for (const [node, sum] of sums) node.recount(sum);
  }

  function countTraffic(nodes: Iterable<UpstreamNode>): void {
    for (const node of nodes) {
      const counts = [...trafficOf.values()].flatMap((ofNode) => {
        const own = ofNode.get(node);
        return own === undefined ? [] : [own];
      });
      node.traffic.takeOthers(counts.reduce(addTotals, retired.get(node) ?? NO_TOTALS), counts);
    }
  }

  return {
    get beginning() {
      push();
      return { view: told, watched: recentlyFailed.origins };
    },
    sendJdbcConnections(worker) {
      const entries = [...connections.entries()];
      for (let at = 0; at < entries.length; at += ENTRIES) {
        worker.send({ kind: 'connections', entries: entries.slice(at, at + ENTRIES) });
      }
    },
    push,
    reports(worker, { report, outcomes }) {
      const failed = new Set<string>();
      for (const [origin, outcome] of outcomes) {
        if (outcome !== 'ok') failed.add(origin);
        const node = cluster.view.nodes.get(origin);
        if (node !== undefined) contain(() => cluster.report(node, outcome), onError);
      }
      if (failed.size === 0) return;
      // The order matters: when the worker receives `heard`, it must already have the view that includes its
      // report. It must receive `heard` in any case, or these failures would stay unconfirmed for ever.
      pushUntilTold();
      worker.send({ kind: 'heard', report });
      for (const origin of failed) recentlyFailed.add(origin);
      broadcast({ kind: 'watch', origins: [...failed] });
    },
    connections(entries) {
      for (const [id, hostAndPort] of entries) connections.remember(id, hostAndPort);
      // The sender gets them too: two workers that disagree then end with the same entry.
      broadcast({ kind: 'connections', entries });
    },
    loads(worker, loads) {
      // Copy now: entries that cannot be read must throw here, not each time the other workers are counted.
      const own = loads.map(([origin, count]): Load => [origin, count]);
      if (own.length > 0) loadsOf.set(worker, own);
      else loadsOf.delete(worker);
      count();
    },
    traffic(worker, traffic) {
      const own = new Map<UpstreamNode, NodeCounts>();
      for (const [origin, counts] of traffic) {
        const node = cluster.view.nodes.get(origin);
        if (node !== undefined) own.set(node, [...counts]);
      }
      trafficOf.set(worker, own);
      countTraffic(own.keys());
    },
    ended(worker) {
      const own = trafficOf.get(worker);
      if (own === undefined) return;
      trafficOf.delete(worker);
      for (const [node, counts] of own) retired.set(node, addTotals(retired.get(node) ?? NO_TOTALS, counts));
      countTraffic(own.keys());
    },
    close() {
      cluster.off('view', onView);
      clearInterval(warming);
      if (gathering !== null) clearTimeout(gathering);
    },
  };
}
