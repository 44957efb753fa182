import type { MasterRole } from '../../discovery/discovery.ts';
import type { ReasonCode } from '../../errors/catalogue.ts';
import type { RouteClass } from '../../routing/route.ts';
import type { SelectedService } from '../../routing/tiers/tier-selector.ts';

/** Which side answered, or should have. */
export type RecordRole = MasterRole | 'broker' | 'console' | 'local' | 'refused';

/**
 * How an exchange ended.
 *
 * - `complete`: the answer was sent completely.
 * - `client_gone`: the client left.
 * - `upstream_cut`: the upstream failed in mid-answer, and the client was reset.
 * - `incomplete`: Druid said in a trailer that its answer is incomplete.
 * - `internal_error`: the gateway itself failed in mid-answer, and the client was reset.
 */
export type RecordEnd = 'complete' | 'client_gone' | 'upstream_cut' | 'incomplete' | 'internal_error';

/** The facts of one exchange at its end. The access log line and the metrics are made from it. */
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
  /** Requests sent upstream, including failed attempts to send. */
  readonly attempts: number;
  readonly redirected: boolean;
  readonly end: RecordEnd;
  /** Milliseconds from the receipt of the head to the last byte sent. */
  readonly durationMs: number;
  /** Milliseconds spent waiting for a leader, a Broker or capacity. */
  readonly parkedMs: number;
  /** The first of these waits that was for a leader; null if none was. */
  readonly leaderWait: LeaderWait | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The client's address, as reported by trusted proxies. */
  readonly remoteAddress: string;
  /** Druid's query id from the answer's headers, if there is one. */
  readonly queryId: string | null;
  /** The Broker service that was chosen, and what chose it; null if there was no choice. */
  readonly placement: RecordPlacement | null;
  /** The trace that the request belongs to; null if it belongs to none. */
  readonly trace: RecordTrace | null;
  /** The user's name, if it is wanted and known. Text from outside. */
  readonly user: string | null;
}

/** A request's place in a trace. The ids are hexadecimal, as in `traceparent`. */
export interface RecordTrace {
  readonly traceId: string;
  /** The caller's span; null if the trace begins here. */
  readonly parentSpanId: string | null;
  /** The gateway's own span of the request; null if there is none. */
  readonly spanId: string | null;
}

/** A wait for a leader that did not serve. */
export interface LeaderWait {
  readonly role: MasterRole;
  /** Since when there was no serving leader, in epoch ms (`LeaderView.since`). */
  readonly leaderlessSince: number;
}

export interface RecordPlacement extends SelectedService {
  /** The service had no Broker, so the default service got the request. */
  readonly fellBack: boolean;
}

/** Receives every record once. */
export type RecordSink = (record: ExchangeRecord) => void;
