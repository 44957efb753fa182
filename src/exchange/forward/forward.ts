import type { UpstreamNode } from '../../cluster/node.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { type Loan, NO_LOAN } from '../../http/buffer-lease.ts';
import { type HeaderBlock, headerValue, without } from '../../http/header-block.ts';
import type { AnswerHead } from '../../http/response-head.ts';
import { chooseConnection } from '../../routing/jdbc/broker-choice.ts';
import { connectionIdOf } from '../../routing/jdbc/connection-id.ts';
import {
  cancelTarget,
  isQueryId,
  NO_FACTS,
  type QueryFacts,
  queryFactsOf,
} from '../../routing/query-facts.ts';
import type { ForwardRoute } from '../../routing/route.ts';
import type { Target } from '../../routing/target.ts';
import { Placed } from '../../routing/tiers/placed.ts';
import { type Placeable, queryKindOf } from '../../routing/tiers/placement.ts';
import type { Accounting } from '../accounting.ts';
import type { GatewayError } from '../errors.ts';
import { failRequest } from '../internal-error.ts';
import type { Claim } from '../limits/concurrency.ts';
import { answerError } from '../own-answers/answer.ts';
import { redirect, splitLocation } from '../own-answers/redirect.ts';
import type { ClientEvents, ClientSide } from '../ports/client.ts';
import type { ExchangeDeps } from '../ports/services.ts';
import type { UpstreamCall, UpstreamFailure, UpstreamHandler } from '../ports/upstream.ts';
import { HeldAnswer } from './answer/held-answer.ts';
import { Relay } from './answer/relay.ts';
import type { RequestBody } from './request-body.ts';
import { Standby, type StandbyActions } from './standby.ts';
import { patience, totalLimit } from './time-limits.ts';
import {
  type Attempted,
  afterFailure,
  afterHead,
  mayResend,
  type NotRelayed,
  type SeenLocation,
} from './verdict.ts';
import { CLIENT_BUSY } from './wait-error.ts';

/** Takes an answer of Druid's in the client's stead, for answers that the gateway completes itself. */
export interface AnswerTaker {
  /** False leaves the answer to be relayed. */
  takes(head: AnswerHead): boolean;
  /** The bytes are not to be kept. */
  onData(chunk: Buffer): void;
  onEnd(): void;
}

/** What is sent upstream, apart from whom it is sent to. */
export interface Outgoing {
  readonly route: ForwardRoute;
  readonly method: string;
  readonly headers: HeaderBlock;
  readonly body: RequestBody;
  readonly taker: AnswerTaker | null;
  /** Whose request it is, for limits and turns: an address. */
  readonly onBehalfOf: string;
}

/** A body beyond this, or of unknown length, makes a request a large one. */
const LARGE_BODY = 256 * 1024;

/** Headers that a cancel does not have. */
const OF_THE_BODY: ReadonlySet<string> = new Set(['content-type', 'content-encoding', 'accept-encoding']);

const CANCEL_PATIENCE_MS = 5_000;

/** The cancel of a query that nobody waits for: it is over with the head of its answer, whatever that says. */
class UnheardCancel implements UpstreamHandler {
  readonly #errors: InternalErrors;
  call: UpstreamCall | null = null;

  constructor(errors: InternalErrors) {
    this.#errors = errors;
  }

  onHead(): void {
    this.call?.abort();
  }

  onData(_: Buffer, loan: Loan): void {
    loan.release();
  }

  onRest(): void {}
  onEnd(): void {}
  onFailure(): void {}
  onBodySent(): void {}

  onInternalError(error: unknown): void {
    this.#errors.report('upstream', error);
  }
}

const NO_IDS: readonly string[] = [];
const NO_EXCLUSIONS: ReadonlySet<UpstreamNode> = new Set();

/** One request on its way to Druid: choose, wait, send, judge, send again or relay. */
export class Forward implements UpstreamHandler, ClientEvents, StandbyActions {
  readonly #deps: ExchangeDeps;
  readonly #client: ClientSide;
  readonly #account: Accounting;
  readonly #out: Outgoing;
  readonly #relay: Relay;
  #standby: Standby | null = null;
  /** Nodes that are not asked again while there is another one. */
  #failed: Set<UpstreamNode> | null = null;
  readonly #claim: Claim;
  /** Of an Avatica request; undefined as long as its body has not been read. */
  #connectionId: string | null | undefined;
  #facts: QueryFacts | null = null;
  #overdue: NodeJS.Timeout | null = null;
  /** The ids under which the query is known to run on `#node`. */
  #queryIds: readonly string[] = NO_IDS;
  /** It counts against the limits now. */
  #counted = false;
  #node: UpstreamNode | null = null;
  #call: UpstreamCall | null = null;
  #repeats = 0;
  /** It was sent once more because a kept connection was stale. */
  #resent = false;
  #held: HeldAnswer | null = null;
  #phase: 'before' | 'taking' | 'holding' | 'relaying' | 'over' = 'before';

  constructor(deps: ExchangeDeps, client: ClientSide, account: Accounting, out: Outgoing) {
    this.#deps = deps;
    this.#client = client;
    this.#account = account;
    this.#out = out;
    this.#relay = new Relay(client, account, deps.options.resetIncomplete && !client.head.fields.trailers);
    const { route, body, onBehalfOf } = out;
    const large = body.length < 0 || body.length > LARGE_BODY || route.class === 'stream';
    this.#claim = { role: route.role, client: onBehalfOf, large };
    client.listen(this);
  }

  /** Begins; what that throws fails this request alone. */
  start(): void {
    this.#contain(() => this.go());
  }

  /** Sends the request on if there is a target, otherwise waits for one. */
  go(): void {
    if (this.#phase !== 'before') return;
    if (this.#goesByBody() && !this.#out.body.ready) {
      this.#collect(() => this.go());
      return;
    }
    const target = this.choose();
    if (target.kind === 'wait') {
      // Reading a small body now is how a client that leaves meanwhile is noticed.
      if (!this.#out.body.ready) this.#collect(() => {});
      this.#waiting().wait(target.reason);
      return;
    }
    const { role, target: path } = this.#out.route;
    const { method, remoteAddress } = this.#client.head;
    const external = this.#deps.redirectPolicy?.(role, method, remoteAddress, target.node) ?? null;
    if (external !== null) {
      this.#phase = 'over';
      this.#release();
      this.#account.upstream = target.node.hostAndPort;
      redirect(this.#client, this.#account, external, path);
      return;
    }
    if (!this.#out.body.ready) {
      this.#collect(() => this.go());
      return;
    }
    if (this.#enters()) this.#send(target.node);
  }

  choose(): Target {
    return this.#chooseExcept(this.#failed ?? NO_EXCLUSIONS);
  }

  hasRoom(): boolean {
    return this.#counted || this.#deps.concurrency.shortage(this.#claim) === null;
  }

  giveUp(error: GatewayError): void {
    this.#phase = 'over';
    this.#release();
    answerError(this.#client, this.#account, error);
  }

  #chooseExcept(excluded: ReadonlySet<UpstreamNode>): Target {
    const { cluster, chooseTarget, connections, random, options } = this.#deps;
    const { view } = cluster;
    const connection = this.#connection();
    const placed = this.#placed(connection !== null);
    if (connection !== null) {
      const broker = connections.brokerOf(connection);
      const services = placed?.connectionsAmong(view, options.services) ?? options.services;
      return chooseConnection(connection, broker, view, excluded, services);
    }
    return chooseTarget(this.#out.route, view, random, excluded, placed?.among(view, options) ?? options);
  }

  /** Which Broker has a JDBC connection, and which service a query is for, is known when its body is here. */
  #goesByBody(): boolean {
    const { route } = this.#out;
    return route.class === 'jdbc' || this.#deps.placer?.needsBody(route) === true;
  }

  /** The Broker service that was chosen for the request; null where there is nothing to choose. */
  #placed(connected: boolean): Placed | null {
    const { placer } = this.#deps;
    const { route, headers, body } = this.#out;
    if (placer === null || route.role !== 'broker') return null;
    if (this.#account.placed !== null) return this.#account.placed;
    const request: Placeable = {
      route,
      header: (name) => headerValue(headers, name),
      body: body.content,
    };
    const placement = connected ? placer.placeByRule(request) : placer.place(request);
    this.#account.placed = placement === null ? null : new Placed(placement);
    return this.#account.placed;
  }

  /** Takes room for this request; without it, waits behind those who wait already, or is refused. */
  #enters(): boolean {
    if (this.#counted) return true;
    const { concurrency, parking } = this.#deps;
    const shortage = concurrency.shortage(this.#claim);
    if (shortage === 'client') {
      this.giveUp(CLIENT_BUSY);
      return false;
    }
    const first = this.#standby === null;
    if (shortage !== null || (first && parking.queued(this.#claim.role) > 0)) {
      this.#waiting().wait('overloaded');
      return false;
    }
    concurrency.enter(this.#claim);
    this.#counted = true;
    return true;
  }

  #leave(): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.#deps.concurrency.leave(this.#claim);
  }

  /** The id of the JDBC connection that the request is about, if it is. */
  #connection(): string | null {
    const { route, body, headers } = this.#out;
    if (route.class !== 'jdbc') return null;
    if (this.#connectionId === undefined) {
      this.#connectionId = connectionIdOf(route.target, body.content, headerValue(headers, 'request'));
    }
    return this.#connectionId;
  }

  #waiting(): Standby {
    const { client, large } = this.#claim;
    const { body, route } = this.#out;
    this.#standby ??= new Standby(route.role, this.#deps, this.#account, this, {
      lane: large ? `large ${client}` : client,
      bytes: body.footprint,
    });
    return this.#standby;
  }

  #collect(done: () => void): void {
    this.#client.invite();
    this.#out.body.collect(done);
  }

  #send(node: UpstreamNode, fresh = false): void {
    const { route, method, headers, body } = this.#out;
    if (body.length !== 0) this.#client.invite();
    this.#node = node;
    if (route.class === 'query') {
      this.#facts ??= queryFactsOf(body.content);
      this.#runs(this.#facts.ids);
    }
    this.#account.upstream = node.hostAndPort;
    this.#account.bytesIn = 0;
    this.#account.attempts++;
    this.#call = this.#deps.upstreams.send(
      node,
      {
        method,
        target: route.target,
        headers,
        body: body.open(),
        bodyLength: body.length < 0 ? null : body.length,
        fresh: fresh || route.class === 'write' || route.class === 'statement',
        ...patience(route.class, this.#ownTimeout(), this.#deps.options),
      },
      this,
    );
    const total = totalLimit(route.class, this.#ownTimeout(), this.#deps.options);
    if (total > 0) this.#overdue ??= setTimeout(() => this.#contain(() => this.#isOverdue()), total);
  }

  /** A query says itself how long it may take. */
  #ownTimeout(): number | null {
    return (this.#facts ?? NO_FACTS).timeoutMs;
  }

  #isOverdue(): void {
    if (this.#phase === 'over') return;
    const begun = this.#phase === 'relaying';
    const call = this.#call;
    this.#call = null;
    call?.abort();
    this.#forget();
    if (begun) {
      this.#cancelQuery();
      this.#relay.cut();
      return;
    }
    this.#phase = 'before';
    this.#turn(afterFailure({ kind: 'no_answer', answered: true }, this.#attempted()));
  }

  /** Fails this request after something of ours threw, wherever it was. Never throws. */
  onInternalError(error: unknown): void {
    this.#phase = 'over';
    this.#abandon();
    failRequest(this.#deps.errors, this.#client, this.#account, error);
  }

  /** Gives back what can be given back, though some of it may throw. */
  #abandon(): void {
    const { errors } = this.#deps;
    const steps = [
      () => this.#cancelUnheard(),
      () => this.#disarm(),
      () => this.#forget(),
      () => this.#standby?.leave(),
      () => this.#stop(),
      () => this.#leave(),
    ];
    for (const step of steps) {
      contain(step, (error) => errors.report('request', error, this.#client.head.id));
    }
  }

  #contain(step: () => void): void {
    contain(step, (error) => this.onInternalError(error));
  }

  /** Gives back all that it holds, waits in or is counted in; again, does nothing. */
  #release(): void {
    this.#disarm();
    this.#forget();
    this.#standby?.leave();
    this.#stop();
    this.#leave();
  }

  #disarm(): void {
    if (this.#overdue === null) return;
    clearTimeout(this.#overdue);
    this.#overdue = null;
  }

  onBodySent(bytes: number): void {
    this.#account.bytesIn += bytes;
  }

  onHead(head: AnswerHead): void {
    if (this.#phase !== 'before') return;
    const { status, contentType, location } = head;
    const seen = {
      status,
      contentType,
      location: location === null ? null : this.#seeLocation(location),
    };
    const verdict = afterHead(seen, this.#attempted());
    if (verdict.kind !== 'relay') {
      this.#turn(verdict);
      return;
    }
    this.#report('ok');
    if (this.#out.route.class === 'query') this.#runs(idsOf(head));
    const connection = this.#connection();
    if (connection !== null && this.#node !== null) {
      this.#deps.connections.remember(connection, this.#node.hostAndPort);
    }
    if (this.#out.taker?.takes(head)) {
      this.#phase = 'taking';
      return;
    }
    if (this.#mayHold()) {
      this.#phase = 'holding';
      this.#held = new HeldAnswer(head, () => this.#contain(() => this.#showLate()));
      return;
    }
    this.#begin(head);
  }

  onData(chunk: Buffer, loan: Loan): void {
    if (this.#phase === 'relaying') {
      this.#relay.data(chunk, loan);
      return;
    }
    if (this.#phase === 'holding' && this.#held?.keep(chunk) === false) this.#show();
    else if (this.#phase === 'taking') this.#out.taker?.onData(chunk);
    loan.release();
  }

  onRest(): void {
    if (this.#phase === 'relaying') this.#relay.rest();
    else this.#held?.wait();
  }

  onEnd(trailers: HeaderBlock): void {
    this.#call = null;
    this.#disarm();
    this.#runsNoMore();
    if (this.#phase === 'holding') this.#show();
    if (this.#phase === 'relaying') this.#relay.end(trailers);
    if (this.#phase === 'taking') {
      this.#phase = 'over';
      this.#out.taker?.onEnd();
    }
  }

  onFailure(failure: UpstreamFailure): void {
    this.#call = null;
    if (this.#phase === 'relaying') {
      this.#report('reset');
      if (failure.kind === 'stalled') this.#cancelQuery();
      this.#relay.cut();
      return;
    }
    if (this.#phase === 'over') return;
    if (failure.kind === 'stale' && this.#node !== null && !this.#resent && mayResend(this.#attempted())) {
      this.#resent = true;
      this.#runsNoMore();
      this.#send(this.#node, true);
      return;
    }
    // Of an answer that is held the client knows nothing, wherever it broke off.
    const answered = !this.#mayHold() && (failure.answered || this.#phase === 'taking');
    this.#forget();
    this.#turn(afterFailure({ kind: failure.kind, answered }, this.#attempted()));
  }

  /** Ends a query whose answer nobody waits for any more; with the caller's own credentials. */
  #cancelQuery(): void {
    const { route, headers } = this.#out;
    const node = this.#node;
    const id = this.#queryIds.at(-1);
    if (route.class !== 'query' || node === null || id === undefined) return;
    const target = cancelTarget(route.target, id);
    if (target === null) return;
    const plain = without(headers, OF_THE_BODY);
    const cancel = new UnheardCancel(this.#deps.errors);
    cancel.call = this.#deps.upstreams.send(
      node,
      {
        method: 'DELETE',
        target,
        headers: plain,
        body: null,
        bodyLength: 0,
        fresh: true,
        patienceMs: CANCEL_PATIENCE_MS,
      },
      cancel,
    );
  }

  /** Cancels the query that is at a node although nobody will hear its answer. */
  #cancelUnheard(): void {
    if (this.#call === null) return;
    const kind = queryKindOf(this.#out.route);
    if (kind !== null && this.#deps.options.cancelOnDisconnect[kind]) this.#cancelQuery();
  }

  onClose(finished: boolean): void {
    this.#phase = 'over';
    try {
      if (!finished) this.#cancelUnheard();
      this.#release();
    } catch (error) {
      this.#deps.errors.report('request', error, this.#client.head.id);
      this.#abandon();
    }
    this.#account.onClose(finished);
  }

  /** Reads of a master are short and can be had from the next one; a Broker's answers are shown as they come. */
  #mayHold(): boolean {
    const { route, taker } = this.#out;
    const bodiless = this.#client.head.method === 'HEAD';
    return route.role !== 'broker' && route.class === 'read' && taker === null && !bodiless;
  }

  /** Shows the client what was held. */
  #show(): void {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    held.end();
    this.#begin(held.head);
    for (const chunk of held.chunks) this.#relay.data(chunk, NO_LOAN);
  }

  /** It is as if the answer that is held had never come. */
  #forget(): void {
    if (this.#held === null) return;
    this.#held.end();
    this.#held = null;
    if (this.#phase === 'holding') this.#phase = 'before';
  }

  #showLate(): void {
    this.#show();
    this.#relay.rest();
  }

  #begin(head: AnswerHead): void {
    this.#phase = 'relaying';
    const complete = this.#relay.head(head, (value) => this.#publicLocation(value));
    if (complete) this.#stop();
  }

  #attempted(): Attempted {
    const { route, body } = this.#out;
    return { role: route.role, class: route.class, replayable: body.replayable, repeats: this.#repeats };
  }

  /** Ends an attempt whose answer is not for the client: sends the request again or answers for Druid. */
  #turn(verdict: NotRelayed): void {
    const queryId = this.#queryIds.at(-1);
    if (verdict.error.status === 504) this.#cancelQuery();
    this.#stop();
    const { view } = this.#deps.cluster;
    if (verdict.outcome !== null) this.#report(verdict.outcome);
    if (verdict.kind === 'fail') {
      this.#account.queryId ??= queryId ?? null;
      this.giveUp(queryId === undefined ? verdict.error : { ...verdict.error, queryId });
      return;
    }
    if (verdict.counts) {
      if (!this.#deps.retryBudget.withdraw(this.#deps.now())) {
        this.giveUp(verdict.error);
        return;
      }
      this.#repeats++;
    }
    if (this.#out.route.role === 'broker' && this.#elsewhere()) return;
    if (verdict.onlyElsewhere) {
      this.giveUp(verdict.error);
      return;
    }
    this.#failed = this.#node === null ? null : new Set([this.#node]);
    this.#leave();
    this.#waiting().waitAfter(view, verdict.error, verdict.outcome === 'not_leader');
  }

  #elsewhere(): boolean {
    if (this.#node === null) return false;
    this.#failed ??= new Set();
    this.#failed.add(this.#node);
    const target = this.#chooseExcept(this.#failed);
    if (target.kind === 'wait' || this.#failed.has(target.node)) return false;
    this.#send(target.node);
    return true;
  }

  /** The query has these ids at its node, besides those known before. */
  #runs(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.#node === null || this.#queryIds.includes(id)) continue;
      this.#deps.runningQueries.begin(id, this.#node);
      this.#queryIds = [...this.#queryIds, id];
    }
  }

  #runsNoMore(): void {
    for (const id of this.#queryIds) if (this.#node !== null) this.#deps.runningQueries.end(id, this.#node);
    this.#queryIds = NO_IDS;
  }

  #stop(): void {
    this.#runsNoMore();
    this.#call?.abort();
    this.#call = null;
  }

  #report(outcome: Parameters<ExchangeDeps['cluster']['report']>[1]): void {
    if (this.#node !== null) this.#deps.cluster.report(this.#node, outcome);
  }

  #seeLocation(location: string): SeenLocation | null {
    const split = splitLocation(location);
    if (split === null) return null;
    return { known: this.#isNode(split.origin), sameTarget: split.target === this.#out.route.target };
  }

  #publicLocation(location: string): string {
    const split = splitLocation(location);
    return split !== null && this.#isNode(split.origin) ? split.target : location;
  }

  #isNode(origin: string): boolean {
    return origin === this.#node?.origin.toLowerCase() || this.#deps.cluster.view.nodes.has(origin);
  }
}

/** The ids that Druid gave the query. */
function idsOf({ queryId, sqlQueryId }: AnswerHead): readonly string[] {
  return [queryId, sqlQueryId].filter((id): id is string => id !== null && isQueryId(id));
}
