import type { MasterRole } from '../../discovery/discovery.ts';
import type { ReasonCode } from '../../errors/catalogue.ts';
import type { RouteClass } from '../../routing/route.ts';
import type { SelectedService } from '../../routing/tiers/tier-selector.ts';

/** Who answered or should have. */
export type RecordRole = MasterRole | 'broker' | 'console' | 'local' | 'refused';

/**
 * How an exchange ended: `complete`, the client left (`client_gone`), the upstream died in mid-answer and the
 * client was reset (`upstream_cut`), Druid said in a trailer that its answer is not whole (`incomplete`), or the gateway
 * itself failed in mid-answer and the client was reset (`internal_error`).
 */
export type RecordEnd = 'complete' | 'client_gone' | 'upstream_cut' | 'incomplete' | 'internal_error';

/** What is known of one exchange when it is over: the access line and the metrics are made from it. */
export interface ExchangeRecord {
  readonly id: string;
  readonly method: string;
  /** Raw path without the query string. */
  readonly path: string;
  readonly role: RecordRole;
  readonly class: RouteClass | 'local';
  /** Status sent to the client; 499 if it left before one was sent. */
  readonly status: number;
  /** Reason code of the gateway's own answers, else null. */
  readonly reason: ReasonCode | null;
  /** `host:port` of the node that answered last, else null. */
  readonly upstream: string | null;
  /** Requests that were sent or tried upstream. */
  readonly attempts: number;
  readonly redirected: boolean;
  readonly end: RecordEnd;
  /** Milliseconds from head received to the last byte sent. */
  readonly durationMs: number;
  /** Milliseconds spent waiting for a leader or Broker. */
  readonly parkedMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The client's address, as far as trusted proxies tell it. */
  readonly remoteAddress: string;
  /** Druid's query id from the answer's headers, where it gave one. */
  readonly queryId: string | null;
  /** The Broker service that was chosen, and by what; null where there was nothing to choose. */
  readonly placement: RecordPlacement | null;
}

export interface RecordPlacement extends SelectedService {
  /** Nobody of the service was there; the default service had it. */
  readonly fellBack: boolean;
}

/** Receives every record once. */
export type RecordSink = (record: ExchangeRecord) => void;
