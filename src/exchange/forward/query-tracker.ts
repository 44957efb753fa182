import type { UpstreamNode } from '../../cluster/node.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import { type HeaderBlock, without } from '../../http/header-block.ts';
import { cancelTarget } from '../../routing/query-context.ts';
import type { RunningQueries } from '../druid/running-queries.ts';
import type { NodeSender, UpstreamCall, UpstreamHandler } from '../ports/upstream.ts';

/** Headers that a cancel does not have. */
const OF_THE_BODY: ReadonlySet<string> = new Set(['content-type', 'content-encoding', 'accept-encoding']);

const CANCEL_PATIENCE_MS = 5_000;

const NO_IDS: readonly string[] = [];

/** What a cancel of the gateway's own needs. */
export interface CancelServices {
  readonly upstreams: NodeSender;
  readonly errors: InternalErrors;
}

/** The ids under which one query runs at its node, so that cancels find it, and so that it can be cancelled. */
export class QueryTracker {
  readonly #running: RunningQueries;
  #node: UpstreamNode | null = null;
  #ids: readonly string[] = NO_IDS;

  constructor(running: RunningQueries) {
    this.#running = running;
  }

  /** The id that names it best: Druid's own, if that is known. */
  get id(): string | undefined {
    return this.#ids.at(-1);
  }

  /** It runs at `node` under these ids, besides those known before. */
  runs(node: UpstreamNode, ids: readonly string[]): void {
    this.#node = node;
    for (const id of ids) {
      if (this.#ids.includes(id)) continue;
      this.#running.begin(id, node);
      this.#ids = [...this.#ids, id];
    }
  }

  /** It runs nowhere any more; again, does nothing. */
  ends(): void {
    const ids = this.#ids;
    this.#ids = NO_IDS;
    for (const id of ids) if (this.#node !== null) this.#running.end(id, this.#node);
  }

  /** Cancels it at its node, with the caller's own credentials; nobody waits for the outcome. */
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

/** A cancel is over with the head of its answer, whatever that says. */
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
