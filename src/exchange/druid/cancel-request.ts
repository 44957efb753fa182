import type { UpstreamNode } from '../../cluster/node.ts';
import { type GatewayError, gatewayError } from '../../errors/gateway-error.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import { type HeaderBlock, without } from '../../http/header-block.ts';
import { relayedHead } from '../../http/response-framing.ts';
import type { AnswerHead } from '../../http/response-head.ts';
import { cancelledId } from '../../routing/query-context.ts';
import type { ForwardRoute } from '../../routing/route.ts';
import type { Accounting } from '../accounting.ts';
import { failRequest } from '../internal-error.ts';
import type { CancelLimits } from '../limits/cancel-limits.ts';
import { answerError } from '../own-answers/answer.ts';
import type { ClientEvents, ClientSide } from '../ports/client.ts';
import type { ExchangeServices } from '../ports/services.ts';
import type { UpstreamCall, UpstreamFailure, UpstreamHandler } from '../ports/upstream.ts';

/** One Broker's answer to a cancel. */
export interface CancelAnswer {
  readonly status: number;
  /** The header lines that go to the client. */
  readonly headers: HeaderBlock;
  readonly hasDate: boolean;
  readonly body: Buffer;
}

/** A cancel is answered within this time even if a Broker hangs. */
const PATIENCE_MS = 5_000;
const LONGEST_BODY = 16 * 1024;
/** The collected body is framed again, and a cancel redirects no client. */
const NOT_KEPT: ReadonlySet<string> = new Set(['content-length', 'location']);

/**
 * Merges the answers of all Brokers; null stands for no answer. Any 202 means that the query is being cancelled. Any
 * 403 means that a Broker runs it and the caller may not cancel it. A missing answer makes the result `unknown`. If
 * all answered 404, no Broker runs it. `absent`: no Broker was asked.
 */
export function mergeCancels(answers: readonly (CancelAnswer | null)[]): CancelAnswer | 'unknown' | 'absent' {
  const by = (status: number): CancelAnswer | undefined =>
    answers.find((candidate): candidate is CancelAnswer => candidate?.status === status);
  const decisive = by(202) ?? by(403) ?? by(401);
  if (decisive !== undefined) return decisive;
  return answers.every((candidate) => candidate?.status === 404) ? (by(404) ?? 'absent') : 'unknown';
}

const NO_QUERY = gatewayError('target_malformed', { message: 'No query has such an id.' });
const OWN_CANCELS = gatewayError('too_many_requests', {
  message: 'This client already cancels as many queries as it may at once; try again.',
});
const ALL_CANCELS = gatewayError('overloaded', {
  message: 'As many queries are being cancelled as may be at once; try again.',
});

/** Returns the id of the query that this client cancels, or why it may not now. */
export function admitCancel(
  { target }: ForwardRoute,
  client: string,
  limits: Pick<CancelLimits, 'limitReached'>,
): string | GatewayError {
  const id = cancelledId(target);
  if (id === null) return NO_QUERY;
  const limit = limits.limitReached(client);
  if (limit === null) return id;
  return limit === 'client' ? OWN_CANCELS : ALL_CANCELS;
}

/** The Brokers that are asked to cancel a query: first those known to run it, then the others. */
export function brokersToAsk(
  id: string,
  {
    runningQueries,
    options: { services },
    cluster,
  }: Pick<ExchangeServices, 'runningQueries' | 'options' | 'cluster'>,
): { readonly known: readonly UpstreamNode[]; readonly others: UpstreamNode[] } {
  const known = runningQueries.nodesOf(id);
  const all = cluster.view.brokers.filter(({ service }) => services.has(service));
  return { known, others: all.map(({ node }) => node).filter((node) => !known.includes(node)) };
}

/**
 * `DELETE /druid/v2/{id}` and `/druid/v2/sql/{id}`. The Broker that is known to run the query is asked first, then
 * all others unless it answers 202. (The Router asks all and relays an arbitrary answer.) A cancel takes no capacity
 * from queries; it has its own limits.
 */
export class Cancel implements ClientEvents, CollectorEvents {
  readonly #client: ClientSide;
  readonly #account: Accounting;
  readonly #send: (node: UpstreamNode, handler: UpstreamHandler) => UpstreamCall;
  readonly #calls: UpstreamCall[] = [];
  readonly #answers: (CancelAnswer | null)[] = [];
  readonly #known: readonly UpstreamNode[];
  readonly #others: UpstreamNode[];
  readonly #errors: InternalErrors;
  readonly #limits: CancelLimits;
  /** The client's address, for the limits. */
  readonly #onBehalfOf: string;
  /** It counts against the limits now. */
  #counts = false;
  readonly #showsNode: boolean;
  #timer: NodeJS.Timeout | null = null;
  #outstanding = 0;
  #answered = false;

  constructor(
    exchange: ExchangeServices,
    client: ClientSide,
    account: Accounting,
    route: ForwardRoute,
    headers: HeaderBlock,
    id: string,
    onBehalfOf: string,
  ) {
    this.#client = client;
    this.#account = account;
    this.#errors = exchange.errors;
    this.#showsNode = exchange.options.showNode === true;
    this.#send = (node, handler) =>
      exchange.upstreams.send(
        node,
        {
          method: 'DELETE',
          target: route.target,
          headers,
          body: null,
          bodyLength: 0,
          fresh: true,
          uncounted: true,
        },
        handler,
      );
    this.#limits = exchange.cancelLimits;
    this.#onBehalfOf = onBehalfOf;
    const { known, others } = brokersToAsk(id, exchange);
    this.#known = known;
    this.#others = others;
    client.listen(this);
  }

  /** Counts the cancel against the limits and asks the Brokers. The caller must have checked that there is room. */
  begin(): void {
    this.#limits.enter(this.#onBehalfOf);
    this.#counts = true;
    this.#contain(() => {
      this.#timer = setTimeout(() => this.#contain(() => this.#giveUp()), PATIENCE_MS);
      if (this.#known.length > 0) this.#ask(this.#known);
      else this.#askOthers();
    });
  }

  /** Aborts all calls and fails the request. */
  onInternalError(error: unknown): void {
    this.#answered = true;
    this.#finish();
    for (const call of this.#calls.splice(0)) {
      contain(
        () => call.abort(),
        (again) => this.#errors.report('request', again, this.#client.head.id),
      );
    }
    failRequest(this.#errors, this.#client, this.#account, error);
  }

  #contain(step: () => void): void {
    contain(step, (error) => this.onInternalError(error));
  }

  /** All calls are over: stops counting the cancel. Repeated calls do nothing. */
  #finish(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#counts) this.#limits.leave(this.#onBehalfOf);
    this.#counts = false;
  }

  /** The calls go on: a client that leaves still wants its query ended. */
  onClose(finished: boolean): void {
    this.#answered = true;
    this.#account.onClose(finished);
  }

  #askOthers(): void {
    const others = this.#others.splice(0);
    if (others.length > 0) this.#ask(others);
    else {
      this.#finish();
      this.#conclude();
    }
  }

  #ask(nodes: readonly UpstreamNode[]): void {
    this.#outstanding += nodes.length;
    for (const node of nodes) {
      this.#account.attempts++;
      this.#account.upstream = node.hostAndPort;
      const call = this.#send(node, new Collector(this, this.#showsNode));
      this.#calls.push(call);
    }
  }

  /** One Broker has answered, or will not answer. */
  onCollected(collected: CancelAnswer | null): void {
    this.#answers.push(collected);
    this.#outstanding--;
    // Every Broker answers 202 to a native cancel, so the calls to the others go on after one.
    if (collected?.status === 202) this.#conclude();
    else if (this.#outstanding === 0) this.#askOthers();
    if (this.#outstanding === 0) this.#finish();
  }

  #conclude(): void {
    if (this.#answered) return;
    this.#answered = true;
    const merged = mergeCancels([...this.#answers, ...Array<null>(this.#outstanding).fill(null)]);
    if (merged === 'unknown') {
      const said = this.#answers.filter((candidate) => candidate?.status === 404).length;
      const all = this.#answers.length + this.#outstanding;
      const message = `${all - said} of ${all} Brokers did not say whether they run the query; it may go on.`;
      answerError(this.#client, this.#account, gatewayError('cancel_unknown', { message }));
    } else if (merged === 'absent') {
      answerError(this.#client, this.#account, gatewayError('no_ready_broker'));
    } else {
      relayAnswer(this.#client, this.#account, merged);
    }
  }

  #giveUp(): void {
    this.#finish();
    this.#conclude();
    for (const call of this.#calls) call.abort();
  }
}

function relayAnswer(
  client: ClientSide,
  account: Accounting,
  { status, headers, hasDate, body }: CancelAnswer,
): void {
  account.status = status;
  account.bytesOut = body.length;
  client.writeHead(status, '', `${headers}Content-Length: ${body.length}\r\n`, hasDate);
  client.end(body);
}

/** Receives one Broker's answer; null for no answer. */
interface CollectorEvents {
  onCollected(collected: CancelAnswer | null): void;
  onInternalError(error: unknown): void;
}

/** Collects one Broker's answer. */
class Collector implements UpstreamHandler {
  readonly #taker: CollectorEvents;
  readonly #showsNode: boolean;
  readonly #chunks: Buffer[] = [];
  #status = 0;
  #headers: HeaderBlock = '';
  #hasDate = false;
  #length = 0;

  constructor(taker: CollectorEvents, showsNode: boolean) {
    this.#taker = taker;
    this.#showsNode = showsNode;
  }

  onHead(head: AnswerHead): void {
    this.#status = head.status;
    const showsNode = this.#showsNode;
    const { headers } = relayedHead(head, {
      bodiless: false,
      httpMinor: 0,
      rewriteLocation: String,
      showsNode,
    });
    this.#headers = without(headers, NOT_KEPT);
    this.#hasDate = head.hasDate;
  }

  onData(chunk: Buffer, lease: BufferLease): void {
    this.#length += chunk.byteLength;
    if (this.#length <= LONGEST_BODY) this.#chunks.push(Buffer.from(chunk));
    lease.release();
  }

  onRest(): void {}

  onEnd(): void {
    this.#finish({
      status: this.#status,
      headers: this.#headers,
      hasDate: this.#hasDate,
      body: this.#length <= LONGEST_BODY ? Buffer.concat(this.#chunks) : Buffer.alloc(0),
    });
  }

  onFailure(_: UpstreamFailure): void {
    this.#finish(null);
  }

  onBodySent(): void {}

  onInternalError(error: unknown): void {
    this.#taker.onInternalError(error);
  }

  #finish(collected: CancelAnswer | null): void {
    this.#taker.onCollected(collected);
  }
}
