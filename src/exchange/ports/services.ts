import type { Cluster } from '../../cluster/cluster.ts';
import type { Role } from '../../discovery/discovery.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import type { RedirectPolicy } from '../../routing/redirect/redirect-policy.ts';
import type { Route } from '../../routing/route.ts';
import type { ChooseTarget } from '../../routing/target.ts';
import type { QueryKind } from '../../routing/tiers/query-traits.ts';
import type { TierSelector } from '../../routing/tiers/tier-selector.ts';
import type { JdbcConnections } from '../druid/jdbc-connections.ts';
import type { RunningQueries } from '../druid/running-queries.ts';
import type { TimeLimitOptions } from '../forward/time-limits.ts';
import type { BodyLimits } from '../limits/body-limits.ts';
import type { Concurrency } from '../limits/concurrency.ts';
import type { Pressure } from '../limits/overload.ts';
import type { RetryBudget } from '../limits/retry-budget.ts';
import type { WaitQueue } from '../limits/wait-queue.ts';
import type { RecordSink } from './record.ts';
import type { NodeSender } from './upstream.ts';

export interface ExchangeOptions extends TimeLimitOptions {
  /** `druid.service` of the Brokers that get what no other service is chosen for. */
  readonly defaultService: string;
  /** Those that get anything at all, the default one among them. */
  readonly services: ReadonlySet<string>;
  /** Requests that a node may have under way; others take the next one, or wait. */
  readonly maxPerNode: number;
  /** Bodies up to this many bytes are kept so that they can be sent again. */
  readonly bufferBodyBytes: number;
  /** How long a request may wait for a leader or Broker, in milliseconds, all waits together. */
  readonly maxWaitMs: number;
  /** The same for roles that have a limit of their own. */
  readonly maxWaitByRole: Readonly<Partial<Record<Role, number>>>;
  /** The same while ZooKeeper is out of reach, when a leader will not come soon. */
  readonly maxWaitStaleMs: number;
  /** How long a request may wait for room. */
  readonly maxQueueMs: number;
  /** Cancel a query at its Broker when its client leaves. */
  readonly cancelOnDisconnect: Readonly<Record<QueryKind, boolean>>;
  /** Reset the client's connection where Druid says in a trailer that its answer is not whole. */
  readonly resetIncomplete: boolean;
  /** Whether a peer may set `X-Forwarded-*`. */
  readonly trusts: (remoteAddress: string) => boolean;
}

export interface ExchangeServices {
  readonly cluster: Cluster;
  readonly route: (method: string, target: string) => Route;
  readonly chooseTarget: ChooseTarget;
  /** Null where there is nothing to choose: one Broker service. */
  readonly tierSelector: TierSelector | null;
  /** Null relays everything. */
  readonly redirectPolicy: RedirectPolicy | null;
  readonly upstreams: NodeSender;
  readonly waitQueue: WaitQueue;
  readonly concurrency: Concurrency;
  readonly bodies: BodyLimits;
  readonly retryBudget: RetryBudget;
  readonly pressure: Pressure;
  readonly runningQueries: RunningQueries;
  readonly jdbcConnections: JdbcConnections;
  readonly sink: RecordSink;
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
  readonly options: ExchangeOptions;
  /** Milliseconds; only differences count. */
  readonly now: () => number;
  readonly random: () => number;
}
