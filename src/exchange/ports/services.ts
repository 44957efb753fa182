import type { Cluster } from '../../cluster/cluster.ts';
import type { Role } from '../../discovery/discovery.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import type { RedirectPolicy } from '../../routing/redirect/redirect-policy.ts';
import type { Router } from '../../routing/router.ts';
import type { ChooseTarget } from '../../routing/target.ts';
import type { QueryKind } from '../../routing/tiers/query-traits.ts';
import type { TierSelector } from '../../routing/tiers/tier-selector.ts';
import type { CorsPolicy } from '../cors.ts';
import type { JdbcConnections } from '../druid/jdbc-connections.ts';
import type { RunningQueries } from '../druid/running-queries.ts';
import type { Succession } from '../forward/succession.ts';
import type { TimeLimitOptions } from '../forward/time-limits.ts';
import type { BodyLimits } from '../limits/body-limits.ts';
import type { CancelLimits } from '../limits/cancel-limits.ts';
import type { Concurrency } from '../limits/concurrency.ts';
import type { Pressure } from '../limits/overload.ts';
import type { RetryBudget } from '../limits/retry-budget.ts';
import type { WaitQueue } from '../limits/wait-queue.ts';
import type { ForwardingPolicy } from './client-origin.ts';
import type { RecordSink } from './record.ts';
import type { RequestSpans, RequestTracer } from './tracing.ts';
import type { NodeSender } from './upstream.ts';

export interface ExchangeOptions extends TimeLimitOptions, ForwardingPolicy {
  /** Broker service (`druid.service`) used when no tier rule picks another. */
  readonly defaultService: string;
  /** All Broker services that get requests, the default one included. */
  readonly services: ReadonlySet<string>;
  /** Most requests under way at one node. Further requests go to another node, or wait. */
  readonly maxPerNode: number;
  /** With so many requests under way at it, a node gets no large one, so that small ones still find room. */
  readonly maxPerNodeForLarge: number;
  /** Milliseconds that a request may wait for a former leader once another one serves; 0 is no limit. */
  readonly abandonedTimeoutMs: number;
  /** Bodies of at most this many bytes are kept for sending again. */
  readonly bufferBodyBytes: number;
  /** Milliseconds that a request may wait for a leader or Broker, all waits together. */
  readonly maxWaitMs: number;
  /** The same for roles with their own limit. */
  readonly maxWaitByRole: Readonly<Partial<Record<Role, number>>>;
  /** The same while ZooKeeper is unreachable: no leader can be elected then. */
  readonly maxWaitStaleMs: number;
  /** Milliseconds that a request may wait for capacity. */
  readonly maxQueueMs: number;
  /** Whether to cancel a query at its Broker when its client leaves. */
  readonly cancelOnDisconnect: Readonly<Record<QueryKind, boolean>>;
  /** What all paths of clients begin with, and nodes do not know; empty for none. */
  readonly basePath: string;
  /** Rules for pages of other origins; null leaves them to the nodes. */
  readonly cors: CorsPolicy | null;
  /** Whether to reset the client's connection when Druid says in a trailer that its answer is incomplete. */
  readonly resetIncomplete: boolean;
  /** Whether to relay the headers that identify a node. */
  readonly showNode?: boolean;
  /** Whether the client at this address may see the view that its answer was decided on. */
  readonly showsView: (client: string) => boolean;
  /** Whether records name the user. */
  readonly namesUser?: boolean;
}

export interface ExchangeServices {
  readonly cluster: Cluster;
  readonly route: Router;
  readonly chooseTarget: ChooseTarget;
  /** Null if there is only one Broker service. */
  readonly tierSelector: TierSelector | null;
  /** Null relays everything. */
  readonly redirectPolicy: RedirectPolicy | null;
  readonly upstreams: NodeSender;
  readonly waitQueue: WaitQueue;
  readonly concurrency: Concurrency;
  readonly bodies: BodyLimits;
  readonly cancelLimits: CancelLimits;
  readonly retryBudget: RetryBudget;
  readonly succession: Succession;
  readonly pressure: Pressure;
  readonly runningQueries: RunningQueries;
  readonly jdbcConnections: JdbcConnections;
  readonly sink: RecordSink;
  /** Absent if the gateway takes part in no traces. */
  readonly tracer?: RequestTracer | null;
  /** The spans of the one request that has these services; absent if it has none. */
  readonly spans?: RequestSpans;
  /** Receives errors of the gateway's own code. */
  readonly errors: InternalErrors;
  /** True from the beginning of the shutdown: balancers are told to send nothing here any more. */
  readonly draining: () => boolean;
  readonly options: ExchangeOptions;
  /** A clock in milliseconds; only differences count. */
  readonly now: () => number;
  readonly random: () => number;
}
