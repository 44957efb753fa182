import type { Cluster, ClusterEvents } from '../../cluster/cluster.ts';
import type { NodeOutcome, UpstreamNode } from '../../cluster/node.ts';
import type { ClusterView } from '../../cluster/view.ts';
import { ContainedEmitter, contain, type InternalErrors } from '../../faults/internal-errors.ts';
import type { FromWorker, Load, Traffic } from '../protocol/messages.ts';
import { createRecentlyFailedNodes, type RecentlyFailedNodes } from '../protocol/recently-failed-nodes.ts';
import { createViewReader, type ViewParts } from '../protocol/view-codec.ts';
import {
  addFailure,
  concerns,
  type UnconfirmedFailure,
  withUnconfirmedFailures,
} from './unconfirmed-failures.ts';

export interface ClusterReplicaOptions {
  /** The initial view, with all its parts. */
  readonly view: ViewParts;
  readonly watched: readonly string[];
  /** See `RecentlyFailedNodes`. */
  readonly watchMs: number;
  readonly send: (message: FromWorker) => void;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** A worker's copy of the cluster: the primary's view, corrected by failures that the worker has seen since. */
export interface ClusterReplica extends Cluster {
  /** Applies the parts of the view that the primary sent. */
  applyView(parts: Partial<ViewParts>): void;
  /** The primary has handled reports up to this one; its views now include them. */
  acknowledged(report: number): void;
  watch(origins: readonly string[]): void;
  readonly loads: readonly Load[];
  /** What this process has counted at Brokers. */
  readonly traffic: readonly Traffic[];
}

/** Creates a copy that publishes its first view at once. */
export function createClusterReplica(options: ClusterReplicaOptions): ClusterReplica {
  return new WorkerCluster(options);
}

class WorkerCluster extends ContainedEmitter<ClusterEvents> implements ClusterReplica {
  readonly #send: (message: FromWorker) => void;
  readonly #errors: InternalErrors;
  readonly #now: () => number;
  readonly #reader = createViewReader();
  readonly #recentlyFailed: RecentlyFailedNodes;
  readonly #unconfirmed = new Map<UpstreamNode, UnconfirmedFailure>();
  /** Outcomes for the next message of reports. */
  #outcomes: [origin: string, outcome: NodeOutcome][] = [];
  #report = 1;
  /** The view as the primary sent it. */
  #shown: ClusterView;
  #view: ClusterView;
  /** True while `#view` differs from the primary's view. */
  #hasUnconfirmed = false;
  #version = 0;

  constructor({ view, watched, watchMs, send, errors, now = Date.now }: ClusterReplicaOptions) {
    super((error) => errors.report('discovery', error));
    this.setMaxListeners(0);
    this.#send = send;
    this.#errors = errors;
    this.#now = now;
    this.#recentlyFailed = createRecentlyFailedNodes(() => performance.now(), watchMs);
    this.#shown = this.#reader.read(view);
    this.#view = this.#shown;
    this.watch(watched);
    this.#publish();
  }

  get view(): ClusterView {
    return this.#view;
  }

  get loads(): readonly Load[] {
    const nodes = [...this.#view.nodes.values()];
    return nodes.filter((node) => node.outstanding > 0).map((node) => [node.origin, node.outstanding]);
  }

  get traffic(): readonly Traffic[] {
    const now = performance.now();
    return this.#view.brokers.flatMap(({ node }): Traffic[] => {
      const counts = node.traffic.counts(now);
      return counts === null ? [] : [[node.origin, counts]];
    });
  }

  applyView(parts: Partial<ViewParts>): void {
    this.#shown = this.#reader.read(parts);
    this.#publish();
  }

  acknowledged(report: number): void {
    for (const [node, failure] of this.#unconfirmed)
      if (failure.report <= report) this.#unconfirmed.delete(node);
    if (this.#hasUnconfirmed) this.#publish();
  }

  watch(origins: readonly string[]): void {
    for (const origin of origins) this.#recentlyFailed.add(origin);
  }

  report(node: UpstreamNode, outcome: NodeOutcome): void {
    if (outcome === 'ok') {
      if (this.#recentlyFailed.shouldReport(node.origin)) this.#tell(node, outcome);
      return;
    }
    this.#recentlyFailed.add(node.origin);
    this.#tell(node, outcome);
    const concerned = concerns(this.#view, node, outcome);
    this.#unconfirmed.set(node, addFailure(this.#unconfirmed.get(node), outcome, this.#report, this.#now()));
    if (concerned) this.#publish();
  }

  /** Does nothing: operators cordon Brokers at the primary. */
  cordon(): void {}

  start(): void {}

  async close(): Promise<void> {}

  /** Sends one message per turn of the event loop, however many requests fail in that turn. */
  #tell(node: UpstreamNode, outcome: NodeOutcome): void {
    this.#outcomes.push([node.origin, outcome]);
    if (this.#outcomes.length > 1) return;
    setImmediate(() => {
      const outcomes = this.#outcomes;
      const report = this.#report++;
      this.#outcomes = [];
      contain(
        () => this.#send({ kind: 'reports', report, outcomes }),
        (error) => {
          this.#errors.report('worker', error);
          // The primary will never acknowledge it; these failures must not stay unconfirmed for ever.
          this.acknowledged(report);
        },
      );
    });
  }

  /** Counts versions itself: waiting requests check again when their view changes, by a local failure too. */
  #publish(): void {
    const view = withUnconfirmedFailures(this.#shown, this.#unconfirmed);
    this.#hasUnconfirmed = view !== this.#shown;
    this.#view = { ...view, version: ++this.#version };
    this.emit('view', this.#view);
  }
}
