import type { ReasonCode } from '../errors/catalogue.ts';
import { parseTraceParent } from '../http/trace-context.ts';
import type { RouteClass } from '../routing/route.ts';
import type { TierSelection } from '../routing/tiers/tier-selection.ts';
import type { RequestHead } from './ports/client.ts';
import type {
  ExchangeRecord,
  LeaderWait,
  RecordEnd,
  RecordRole,
  RecordSink,
  RecordTrace,
} from './ports/record.ts';
import { userOf } from './user.ts';

/** Status of a request whose client left before the answer; nginx uses the same number. */
const CLIENT_CLOSED_REQUEST = 499;

/** Collects the facts of one exchange and hands them to the sink once, at the exchange's end. */
export class Accounting {
  readonly #head: RequestHead;
  readonly #remoteAddress: string;
  readonly #sink: RecordSink;
  readonly #now: () => number;
  role: RecordRole;
  class: RouteClass | 'local';
  /** The status sent; 0 until a head has been sent. */
  status = 0;
  reason: ReasonCode | null = null;
  upstream: string | null = null;
  attempts = 0;
  redirected = false;
  parkedMs = 0;
  leaderWait: LeaderWait | null = null;
  bytesIn = 0;
  bytesOut = 0;
  queryId: string | null = null;
  placed: TierSelection | null = null;
  /** Set if the gateway itself takes part in the request's trace. */
  trace: RecordTrace | null = null;
  /** Whether the record names the user. */
  namesUser = false;
  /** How the exchange ended, if its answer was sent completely. */
  end: RecordEnd = 'complete';
  #closed = false;

  /** `remoteAddress` is the client's address (`clientOrigin`). */
  constructor(
    head: RequestHead,
    remoteAddress: string,
    role: RecordRole,
    routeClass: RouteClass | 'local',
    sink: RecordSink,
    now: () => number,
  ) {
    this.#head = head;
    this.#remoteAddress = remoteAddress;
    this.role = role;
    this.class = routeClass;
    this.#sink = sink;
    this.#now = now;
  }

  /** The exchange is over: hands its record to the sink. Repeated calls do nothing. */
  onClose(finished: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    const { id, method, target, receivedAt, fields } = this.#head;
    const query = target.indexOf('?');
    const record: ExchangeRecord = {
      id,
      method,
      path: query === -1 ? target : target.slice(0, query),
      role: this.role,
      class: this.class,
      status: this.status === 0 ? CLIENT_CLOSED_REQUEST : this.status,
      reason: this.reason,
      upstream: this.upstream,
      attempts: this.attempts,
      redirected: this.redirected,
      end: finished || this.end !== 'complete' ? this.end : 'client_gone',
      durationMs: this.#now() - receivedAt,
      parkedMs: this.parkedMs,
      leaderWait: this.leaderWait,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      remoteAddress: this.#remoteAddress,
      queryId: this.queryId,
      placement: this.placed === null ? null : { ...this.placed.selected, fellBack: this.placed.fellBack },
      trace: this.trace ?? (fields.traceParent === null ? null : clientTrace(fields.traceParent)),
      user: this.namesUser ? userOf(this.#head) : null,
    };
    this.#sink(record);
  }
}

/** The trace of a client's `traceparent`; null if that is invalid. */
function clientTrace(traceParent: string): RecordTrace | null {
  const parent = parseTraceParent(traceParent);
  return parent && { traceId: parent.traceId, parentSpanId: parent.parentId, spanId: null };
}
