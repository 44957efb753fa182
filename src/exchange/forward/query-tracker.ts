import type { UpstreamNode } from '../../cluster/node.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import { type HeaderBlock, without } from '../../http/header-block.ts';
import { cancelTarget, type QueryIds } from '../../routing/query-context.ts';
import type { QueryKind } from '../../routing/tiers/query-traits.ts';
import type { RunningQueries } from '../druid/running-queries.ts';
import type { NodeSender, UpstreamCall, UpstreamHandler } from '../ports/upstream.ts';

/** Headers of the query that its cancel must not have. */
const OF_THE_BODY: ReadonlySet<string> = new Set(['content-type', 'content-encoding', 'accept-encoding']);

const CANCEL_PATIENCE_MS = 5_000;

const BY_SQL = ['sqlQueryId', 'queryId'] as const;
const BY_NATIVE = ['queryId', 'sqlQueryId'] as const;

/** What the gateway needs to cancel a query itself. */
export interface CancelServices {
  readonly upstreams: NodeSender;
  readonly errors: InternalErrors;
}

/** The ids of one query at its node. They let a client's cancel find the query, and the gateway cancel it. */
export class QueryTracker {
  readonly #running: RunningQueries;
  #node: UpstreamNode | null = null;
  readonly #ids: string[] = [];
  /** The names of the query: first the client's, then Druid's. */
  readonly #names: QueryIds[] = [];
  readonly #kind: QueryKind;

  constructor(running: RunningQueries, kind: QueryKind) {
    this.#running = running;
    this.#kind = kind;
  }

  /**
   * The id to cancel the query by; undefined if it has none. The id of the query's own kind comes first. The client's
   * spelling is preferred to that in Druid's answer, since a header cannot hold every id.
   */
  get id(): string | undefined {
    if (this.#ids.length === 0) return undefined;
    const [own, other] = this.#kind === 'sql' ? BY_SQL : BY_NATIVE;
    return this.#named(own) ?? this.#named(other);
  }

  #named(key: keyof QueryIds): string | undefined {
    for (const ids of this.#names) {
      const id = ids[key];
      if (id !== null) return id;
    }
    return undefined;
  }

  /**
   * Registers that the query runs at `node` under these ids, in addition to earlier ones. Pass the client's ids
   * first.
   */
  runs(node: UpstreamNode, names: QueryIds): void {
    this.#node = node;
    this.#names.push(names);
    this.#begin(names.queryId, node);
    this.#begin(names.sqlQueryId, node);
  }

  #begin(id: string | null, node: UpstreamNode): void {
    if (id === null || this.#ids.includes(id)) return;
    this.#running.begin(id, node);
    this.#ids.push(id);
  }

  /** Registers that the query has ended. Repeated calls do nothing. */
  ends(): void {
    for (const id of this.#ids) if (this.#node !== null) this.#running.end(id, this.#node);
    this.#ids.length = 0;
  }

  /** Cancels the query at its node with the caller's own credentials. Nothing waits for the outcome. */
  cancel({ upstreams, errors }: CancelServices, target: string, headers: HeaderBlock): void {
    const { id } = this;
    const node = this.#node;
    if (node === null || id === undefined) return;
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
