import type { UpstreamNode } from '../../cluster/node.ts';
import { OUTSIDE } from '../../collections/crowd.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import { type HeaderBlock, without } from '../../http/header-block.ts';
import { cancelTarget, type QueryIds } from '../../routing/query-context.ts';
import type { QueryKind } from '../../routing/tiers/query-traits.ts';
import type { RunningQueries, RunningQuery } from '../druid/running-queries.ts';
import type { NodeSender, UpstreamCall, UpstreamHandler } from '../ports/upstream.ts';

/** Headers of the query that its cancel must not have. */
const OF_THE_BODY: ReadonlySet<string> = new Set(['content-type', 'content-encoding', 'accept-encoding']);

const CANCEL_PATIENCE_MS = 5_000;

/** What the gateway needs to cancel a query itself. */
export interface CancelServices {
  readonly upstreams: NodeSender;
  readonly errors: InternalErrors;
}

/** The ids of one query at its node. They let a client's cancel find the query, and the gateway cancel it. */
export class QueryTracker implements RunningQuery {
  readonly #running: RunningQueries;
  readonly #kind: QueryKind;
  readonly given: QueryIds;
  #node: UpstreamNode;
  #told: QueryIds | null = null;
  place = OUTSIDE;

  /** Registers that a query with these ids of the client's runs at `node`. */
  constructor(running: RunningQueries, kind: QueryKind, node: UpstreamNode, given: QueryIds) {
    this.#running = running;
    this.#kind = kind;
    this.#node = node;
    this.given = given;
    running.begin(this);
  }

  get node(): UpstreamNode {
    return this.#node;
  }

  get told(): QueryIds | null {
    return this.#told;
  }

  /**
   * The id to cancel the query by; null if it has none. The id of the query's own kind comes first. The client's
   * spelling is preferred to that in Druid's answer, since a header cannot hold every id.
   */
  get id(): string | null {
    const { queryId, sqlQueryId } = this.given;
    const query = queryId ?? this.#told?.queryId ?? null;
    const sql = sqlQueryId ?? this.#told?.sqlQueryId ?? null;
    return this.#kind === 'sql' ? (sql ?? query) : (query ?? sql);
  }

  /** Registers that the query runs at another node now, or anew at the same. */
  runsAt(node: UpstreamNode): void {
    this.ends();
    this.#node = node;
    this.#told = null;
    this.#running.begin(this);
  }

  /** Registers the ids in Druid's answer, which come in addition. */
  isTold(ids: QueryIds): void {
    this.#told = ids;
  }

  /** Registers that the query has ended. Repeated calls do nothing. */
  ends(): void {
    this.#running.end(this);
  }

  /** Cancels the query at its node with the caller's own credentials. Nothing waits for the outcome. */
  cancel({ upstreams, errors }: CancelServices, target: string, headers: HeaderBlock): void {
    const { id } = this;
    const node = this.#node;
    if (id === null) return;
    const path = cancelTarget(target, id);
    if (path === null) return;
    const cancel = new UnheardCancel(errors);
    cancel.call = upstreams.send(
      node,
      {
        method: 'DELETE',
        target: path,
        headers: without(headers, OF_THE_BODY),
        body: null,
        bodyLength: 0,
        fresh: true,
        uncounted: true,
        responseTimeoutMs: CANCEL_PATIENCE_MS,
      },
      cancel,
    );
  }
}

/** A cancel that ends with the head of its answer, whatever the status. */
class UnheardCancel implements UpstreamHandler {
  readonly #errors: InternalErrors;
  call: UpstreamCall | null = null;

  constructor(errors: InternalErrors) {
    this.#errors = errors;
  }

  onHead(): void {
    this.call?.abort();
  }

  onData(_: Buffer, lease: BufferLease): void {
    lease.release();
  }

  onRest(): void {}
  onEnd(): void {}
  onFailure(): void {}
  onBodySent(): void {}

  onInternalError(error: unknown): void {
    this.#errors.report('upstream', error);
  }
}
