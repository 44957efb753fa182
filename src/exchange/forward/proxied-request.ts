import type { NodeOutcome, UpstreamNode } from '../../cluster/node.ts';
import { type GatewayError, gatewayError } from '../../errors/gateway-error.ts';
import { contain } from '../../faults/internal-errors.ts';
import type { BufferLease } from '../../http/buffer-lease.ts';
import { type HeaderBlock, headerValue } from '../../http/header-block.ts';
import type { AnswerHead } from '../../http/response-head.ts';
import { retryAfterMs } from '../../http/retry-after.ts';
import {
  NO_CONTEXT,
  type QueryContext,
  type QueryIds,
  queryContextOf,
  toldId,
} from '../../routing/query-context.ts';
import type { ForwardRoute } from '../../routing/route.ts';
import type { Target, UnavailableReason } from '../../routing/target.ts';
import { queryKindOf } from '../../routing/tiers/tier-selector.ts';
import type { Accounting } from '../accounting.ts';
import { failRequest } from '../internal-error.ts';
import { answerError } from '../own-answers/answer.ts';
import { redirect } from '../own-answers/redirect.ts';
import type { ClientEvents, ClientSide } from '../ports/client.ts';
import type { ExchangeServices } from '../ports/services.ts';
import type { UpstreamCall, UpstreamFailure, UpstreamHandler } from '../ports/upstream.ts';
import { Collect, type ResponseCollector } from './answer/collect.ts';
import { Hold, type HoldOwner } from './answer/hold.ts';
import type { AnswerReceiver } from './answer/receiver.ts';
import { type LocationRewriter, Relay } from './answer/relay.ts';
import { WholeAnswer, type WholeOwner } from './answer/whole.ts';
import { Attempts } from './attempts.ts';
import type { BodyFault, BodyOwner } from './body-reading.ts';
import { ConnectionSearch } from './connection-search.ts';
import { Deadline } from './deadline.ts';
import { AT_NODE, isIn, MAY_BEGIN, mayBecome, nameOf, OVER, State, UNSHOWN } from './lifecycle.ts';
import { publicLocation, redirectTargetOf } from './location-policy.ts';
import { isLarge, Permit } from './permit.ts';
import { QueryTracker } from './query-tracker.ts';
import type { RequestBody } from './request-body.ts';
import { RequestWait, type WaitOwner } from './request-wait.ts';
import type { Follower, Following } from './succession.ts';
import { TargetChoice } from './target-choice.ts';
import { totalLimit, upstreamTimeouts } from './time-limits.ts';
import { afterAbandonment, afterFailure, afterHead, afterSuccession, type NotRelayed } from './verdict.ts';

/** What is sent upstream, whichever node gets it. */
export interface UpstreamRequestTemplate {
  readonly route: ForwardRoute;
  readonly method: string;
  readonly headers: HeaderBlock;
  readonly body: RequestBody;
  /** Completes Druid's answer; null relays it. */
  readonly collector: ResponseCollector | null;
  /** The client's address; for limits, fair turns and redirects. */
  readonly onBehalfOf: string;
  /** Never holds the answer, although it is a master's answer to a read. */
  readonly neverHeld?: true;
}

/**
 * Most interim answers relayed. A node may send any number, and those that a client does not read would be buffered.
 */
const MOST_INTERIMS = 8;
/** The least status of an answer that counts as a Broker's error, as in `druid_gateway_requests_total`. */
const FAILED = 500;
/** In place of the time of an attempt: it is at a master, or counted to the end; or its answer has been counted. */
const COUNTED = -1;
const ANSWERED = -2;

/**
 * One request on its way to Druid: choose a node, wait, send, judge the result, then send again or relay.
 * `lifecycle.ts` defines the states and their transitions. Only `#become` changes the state; it gives back what the
 * next state does not hold.
 */
export class ProxiedRequest
  implements
    UpstreamHandler,
    ClientEvents,
    WaitOwner,
    HoldOwner,
    WholeOwner,
    Follower,
    BodyOwner,
    LocationRewriter
{
  readonly #services: ExchangeServices;
  readonly #client: ClientSide;
  readonly #account: Accounting;
  readonly #template: UpstreamRequestTemplate;
  readonly #choice: TargetChoice;
  readonly #permit: Permit;
  readonly #attempts: Attempts;
  #deadline: Deadline | null = null;
  readonly #relay: Relay;
  #state: State = State.NEW;
  #wait: RequestWait | null = null;
  #node: UpstreamNode | null = null;
  #call: UpstreamCall | null = null;
  /** Set for a request to a master while the client has seen no answer. */
  #following: Following | null = null;
  /** Set for a query. */
  #tracker: QueryTracker | null = null;
  #facts: QueryContext | null = null;
  /** Receives the rest of the answer. */
  #receiver: AnswerReceiver | null = null;
  #hold: Hold | null = null;
  /** Set once an answer came that may be of a Broker without the JDBC connection. */
  #search: ConnectionSearch | null = null;
  /** When the present attempt at a Broker was sent, on the clock of `now`; otherwise one of the two below. */
  #sentAt = COUNTED;
  /** Interim answers received from nodes. */
  #interims = 0;

  constructor(
    services: ExchangeServices,
    client: ClientSide,
    account: Accounting,
    template: UpstreamRequestTemplate,
  ) {
    this.#services = services;
    this.#client = client;
    this.#account = account;
    this.#template = template;
    const { route, headers, body, onBehalfOf } = template;
    const { concurrency, options } = services;
    const large = isLarge(route, body.length);
    this.#choice = new TargetChoice(services, route, headers, body, large);
    this.#permit = new Permit(concurrency, route.role, onBehalfOf, large);
    this.#attempts = new Attempts(route, body, services);
    const resetIncomplete = options.resetIncomplete && !client.head.fields.trailers;
    this.#relay = new Relay(client, account, this, resetIncomplete, options.showNode === true);
    body.tell(this);
    client.listen(this);
  }

  /** Begins the request. An error in it fails this request only. */
  start(): void {
    // As `contain` does, but each request comes this way, and none needs closures for it.
    try {
      this.go();
    } catch (error) {
      this.onInternalError(error);
    }
  }

  /** Sends the request if there is a target; otherwise waits for one. */
  go(): void {
    if (!isIn(this.#state, MAY_BEGIN)) return;
    const { route, body } = this.#template;
    if (this.#choice.needsBody && !body.ready) {
      this.#read();
      return;
    }
    const target = this.choose();
    if (target.kind === 'wait') {
      // Read a small body now, because only a connection that is read shows that its client has left.
      if (!body.ready) this.#collectBody(() => {});
      this.#waitFor(target.reason);
      return;
    }
    const { method } = this.#client.head;
    const { redirectPolicy } = this.#services;
    const { node } = target;
    const origin = redirectPolicy?.(route.role, method, this.#template.onBehalfOf, node) ?? null;
    if (origin !== null) {
      this.#become(State.ANSWERED);
      redirect(this.#client, this.#account, { node, origin }, route.target);
      return;
    }
    if (!body.ready) {
      this.#read();
      return;
    }
    if (this.#enters()) this.#send(node);
  }

  choose(): Target {
    return this.#choice.choose();
  }

  hasRoom(): boolean {
    return this.#permit.limitReached === null;
  }

  giveUp(error: GatewayError): void {
    this.#become(State.ANSWERED);
    answerError(this.#client, this.#account, error);
  }

  /** Begins to relay an answer. */
  show(head: AnswerHead): AnswerReceiver {
    this.#become(State.RELAYING);
    this.#receiver = this.#relay;
    const complete = this.#relay.head(head);
    if (complete) this.#leaveNode();
    return this.#relay;
  }

  /** RFC 9110 15.2: a proxy forwards interim answers that it did not request itself. */
  onInterim(head: AnswerHead): void {
    if (this.#state !== State.SENT || ++this.#interims > MOST_INTERIMS) return;
    this.#relay.interim(head);
  }

  onBodySent(bytes: number): void {
    this.#account.bytesIn += bytes;
  }

  /** The rest of the body will not come: the client is too slow, or there is no memory for it. */
  onBodyFault(fault: BodyFault): void {
    if (this.#state === State.RELAYING) this.#cut(true);
    else if (!isIn(this.#state, OVER)) {
      this.giveUp(
        fault === 'slow' ? gatewayError('request_timeout', { closes: true }) : gatewayError('overloaded'),
      );
    }
  }

  onHead(head: AnswerHead): void {
    if (this.#state !== State.SENT) return;
    const { status, contentType, location } = head;
    const { route, collector } = this.#template;
    const seen = {
      status,
      contentType,
      location:
        location === null ? null : redirectTargetOf(location, route.target, (origin) => this.#isNode(origin)),
      retryAfterMs: status < 502 ? null : retryAfterMs(headerValue(head.kept, 'retry-after'), Date.now()),
      fromServingLeader: status >= 502 && this.#isAtServingLeader(),
    };
    const verdict = afterHead(seen, this.#attempts);
    if (verdict.kind !== 'relay') {
      this.#countAnswer(status);
      if (this.#search === null) this.#apply(verdict);
      else this.#passOver(this.#search, verdict.outcome);
      return;
    }
    this.#report('ok');
    this.#countAnswer(status);
    if (this.#node !== null) {
      if (this.#tracker !== null) {
        this.#tracker.isTold(idsOf(head));
        this.#account.queryId = this.#tracker.id;
      }
      if (route.class === 'jdbc' && this.#choice.mayBeElsewhere(head.status) && this.#attempts.replayable) {
        this.#become(State.HOLDING);
        this.#receiver = new WholeAnswer(head, this);
        return;
      }
      this.#choice.remember(this.#node, head.status);
    }
    if (collector?.accepts(head)) {
      this.#become(State.COLLECTING);
      this.#receiver = new Collect(collector, () => this.#become(State.ANSWERED));
    } else if (this.#mayHold()) {
      this.#become(State.HOLDING);
      this.#hold = new Hold(head, this);
      this.#receiver = this.#hold;
    } else this.show(head);
  }

  onData(chunk: Buffer, lease: BufferLease, text?: string | null): void {
    if (this.#receiver === null) lease.release();
    else this.#receiver.data(chunk, lease, text);
  }

  onRest(): void {
    this.#receiver?.rest();
  }

  onEnd(trailers: HeaderBlock): void {
    this.#call = null;
    this.#deadline?.disarm();
    this.#tracker?.ends();
    this.#receiver?.end(trailers);
  }

  onFailure(failure: UpstreamFailure): void {
    this.#call = null;
    if (this.#state === State.RELAYING) {
      this.#report('reset');
      this.#countFailure();
      this.#cut(failure.kind === 'stalled');
      return;
    }
    if (isIn(this.#state, OVER)) return;
    if (failure.kind === 'stale' && this.#node !== null && this.#attempts.resend()) {
      this.#send(this.#node, true);
      return;
    }
    if (failure.kind === 'connect' && this.#search !== null) {
      this.#passOver(this.#search, 'connect_failed');
      return;
    }
    // The client has seen nothing of an answer that may be held, wherever it broke off.
    const answered = !this.#mayHold() && (failure.answered || this.#state === State.COLLECTING);
    this.#apply(afterFailure({ kind: failure.kind, answered }, this.#attempts));
  }

  onWhole(answer: WholeAnswer): void {
    this.#search ??= new ConnectionSearch(this.#choice, this.#template.route.target);
    this.#searchOn(this.#search, answer);
  }

  /** The Broker does not serve, so it has done nothing with the request, and its connections are lost. */
  #passOver(search: ConnectionSearch, outcome: NodeOutcome | null): void {
    this.#leaveNode();
    if (outcome !== null) this.#report(outcome);
    this.#countFailure();
    this.#searchOn(search, null);
  }

  /** Asks the next Broker for the JDBC connection, or gives the client the answer there is. */
  #searchOn(search: ConnectionSearch, answer: WholeAnswer | null): void {
    if (this.#node === null) return;
    const next = search.after(this.#node, answer);
    if (next !== null) {
      this.#send(next);
      return;
    }
    const { given } = search;
    if (given === null) return;
    this.#account.upstream = given.node.hostAndPort;
    given.answer.show();
  }

  onSucceeded(): void {
    if (this.#call === null || !isIn(this.#state, UNSHOWN)) return;
    const verdict = afterSuccession(this.#attempts);
    // With no repeat left, the request stays at the former leader, as a write does.
    if (verdict === null || this.#attempts.next(verdict) === 'nowhere') return;
    this.#become(State.WAITING);
    this.#waiting().goOn(verdict.error);
  }

  onAbandoned(): void {
    if (this.#call !== null && isIn(this.#state, UNSHOWN)) this.#apply(afterAbandonment(this.#attempts));
  }

  onClose(finished: boolean): void {
    try {
      if (!finished) this.#cancelUnheard();
      this.#become(State.CLOSED);
    } catch (error) {
      this.#services.errors.report('request', error, this.#client.head.id);
      this.#state = State.CLOSED;
      this.#abandon();
    }
    this.#template.body.release();
    this.#account.parkedMs = this.#wait?.waitedMs ?? 0;
    this.#account.leaderWait = this.#wait?.leaderWait ?? null;
    this.#account.placed = this.#choice.placed;
    this.#account.onClose(finished);
  }

  /** Fails this request in any state after our own code threw. Never throws. */
  onInternalError(error: unknown): void {
    if (this.#state !== State.CLOSED) this.#state = State.ANSWERED;
    this.#abandon();
    failRequest(this.#services.errors, this.#client, this.#account, error);
  }

  /**
   * Changes the state and gives back what the next one does not hold. If the transition is not allowed, throws an
   * `Error` before it changes anything. That is a bug of ours and ends the request.
   */
  #become(next: State): void {
    const from = this.#state;
    if (!mayBecome(from, next)) throw new Error(`a request went from ${nameOf(from)} to ${nameOf(next)}`);
    this.#state = next;
    if (from === State.WAITING) this.#wait?.leave();
    else if (from === State.HOLDING) this.#dropHold();
    if (!isIn(next, UNSHOWN)) this.#unfollow();
    if (isIn(from, AT_NODE) && !isIn(next, AT_NODE & ~State.SENT)) {
      this.#receiver = null;
      this.#leaveNode();
    }
    if (isIn(next, State.WAITING | OVER)) this.#permit.giveBack();
    if (isIn(next, OVER)) this.#deadline?.disarm();
  }

  /** Gives back all resources, even if some of the steps throw. */
  #abandon(): void {
    const steps = [
      () => this.#cancelUnheard(),
      () => this.#deadline?.disarm(),
      () => this.#dropHold(),
      () => this.#unfollow(),
      () => this.#wait?.leave(),
      () => this.#leaveNode(),
      () => this.#permit.giveBack(),
    ];
    for (const step of steps) {
      contain(step, (error) => this.#services.errors.report('request', error, this.#client.head.id));
    }
  }

  #contain(step: () => void): void {
    contain(step, (error) => this.onInternalError(error));
  }

  /**
   * Takes a place within the limits. If there is none, the request waits behind those that wait already, or is
   * refused.
   */
  #enters(): boolean {
    if (this.#permit.held) return true;
    const admission = this.#permit.admission(this.#wait === null, this.#services.waitQueue);
    if (admission === 'enters') this.#permit.take();
    else if (admission === 'waits') this.#waitFor('overloaded');
    else this.giveUp(gatewayError('too_many_requests'));
    return admission === 'enters';
  }

  #read(): void {
    this.#become(State.READING);
    this.#collectBody(() => this.go());
  }

  #collectBody(done: () => void): void {
    this.#client.invite();
    this.#template.body.collect(done);
  }

  #waitFor(reason: UnavailableReason): void {
    this.#become(State.WAITING);
    this.#waiting().wait(reason);
  }

  #waiting(): RequestWait {
    const { lane, role } = this.#permit;
    this.#wait ??= new RequestWait(role, this.#services, this, {
      lane,
      bytes: this.#template.body.footprint,
    });
    return this.#wait;
  }

  #send(node: UpstreamNode, fresh = false): void {
    const atOnce = this.#state === State.NEW;
    this.#become(State.SENT);
    const { route, method, headers, body } = this.#template;
    const { options, upstreams, runningQueries } = this.#services;
    if (body.length !== 0) this.#client.invite();
    this.#node = node;
    this.#follow(node);
    if (route.class === 'query') {
      this.#facts ??= queryContextOf(body.content);
      if (this.#tracker === null) {
        this.#tracker = new QueryTracker(runningQueries, queryKindOf(route) ?? 'native', node, this.#facts);
      } else this.#tracker.runsAt(node);
    }
    // Most requests are sent as soon as they are received, which saves a look at the clock.
    if (route.role === 'broker') this.#sentAt = atOnce ? this.#client.head.receivedAt : this.#services.now();
    this.#account.upstream = node.hostAndPort;
    this.#account.bytesIn = 0;
    this.#account.attempts++;
    // A query can set its own timeout.
    const { timeoutMs } = this.#facts ?? NO_CONTEXT;
    this.#call = upstreams.send(
      node,
      {
        method,
        target: route.target,
        headers,
        body: body.open(),
        bodyLength: body.length < 0 ? null : body.length,
        fresh: fresh || route.class === 'write' || route.class === 'statement',
        ...upstreamTimeouts(route.class, timeoutMs, options),
      },
      this,
    );
    const total = totalLimit(route.class, timeoutMs, options);
    if (total === 0) return;
    this.#deadline ??= new Deadline();
    this.#deadline.arm(total, () => this.#contain(() => this.#onOverdue()));
  }

  #onOverdue(): void {
    if (isIn(this.#state, OVER)) return;
    const call = this.#call;
    this.#call = null;
    call?.abort();
    if (this.#state === State.RELAYING) {
      this.#countFailure();
      this.#cut(true);
      return;
    }
    this.#apply(afterFailure({ kind: 'no_answer', answered: true }, this.#attempts));
  }

  /** Ends an attempt whose answer does not go to the client. Sends the request again, or answers with an error. */
  #apply(verdict: NotRelayed): void {
    const queryId = this.#tracker?.id ?? null;
    if (verdict.error.reason === 'upstream_timeout') this.#cancelQuery();
    this.#leaveNode();
    const { view } = this.#services.cluster;
    if (verdict.outcome !== null) this.#report(verdict.outcome);
    if (verdict.outcome !== null || verdict.error.reason === 'upstream_timeout') this.#countFailure();
    if (verdict.kind === 'fail') {
      this.#account.queryId ??= queryId;
      this.giveUp(queryId === null ? verdict.error : { ...verdict.error, queryId });
      return;
    }
    const next = this.#attempts.next(verdict);
    if (next !== 'nowhere' && this.#sendsElsewhere()) return;
    if (next !== 'anywhere') {
      this.giveUp(verdict.error);
      return;
    }
    this.#choice.forgetFailedBut(this.#node);
    this.#become(State.WAITING);
    const { error, outcome, overloaded } = verdict;
    if (overloaded !== null) this.#waiting().backOff(view, error, overloaded.retryAfterMs);
    else this.#waiting().waitAfter(view, error, outcome === 'not_leader');
  }

  #sendsElsewhere(): boolean {
    if (this.#template.route.role !== 'broker' || this.#node === null) return false;
    const node = this.#choice.chooseElsewhere(this.#node);
    if (node === null) return false;
    this.#send(node);
    return true;
  }

  /** Resets the client, because the answer that it has begun to receive will never be complete. */
  #cut(cancels: boolean): void {
    if (cancels) this.#cancelQuery();
    this.#leaveNode();
    this.#relay.cut();
  }

  #leaveNode(): void {
    this.#tracker?.ends();
    const call = this.#call;
    this.#call = null;
    call?.abort();
  }

  #follow(node: UpstreamNode): void {
    this.#unfollow();
    const { role } = this.#template.route;
    if (role === 'broker') return;
    const { succession, options } = this.#services;
    this.#following = succession.follow(role, node, this, options.abandonedTimeoutMs);
  }

  #unfollow(): void {
    this.#following?.leave();
    this.#following = null;
  }

  #dropHold(): void {
    this.#hold?.drop();
    this.#hold = null;
  }

  /** Cancels a query whose answer is no longer wanted. */
  #cancelQuery(): void {
    const { route, headers } = this.#template;
    this.#tracker?.cancel(this.#services, route.target, headers);
  }

  /** Cancels the query at its node because the client will not get the answer, if `cancelOnDisconnect` allows it. */
  #cancelUnheard(): void {
    if (this.#call === null) return;
    const kind = queryKindOf(this.#template.route);
    if (kind !== null && this.#services.options.cancelOnDisconnect[kind]) this.#cancelQuery();
  }

  /**
   * Reads of a master have short answers, and the next leader can give them too. A Broker's answers are relayed as
   * they come.
   */
  #mayHold(): boolean {
    const { route, collector, neverHeld } = this.#template;
    if (route.role === 'broker' || route.class !== 'read' || neverHeld) return false;
    return collector === null && this.#client.head.method !== 'HEAD';
  }

  #report(outcome: NodeOutcome): void {
    if (this.#node !== null) this.#services.cluster.report(this.#node, outcome);
  }

  #countAnswer(status: number): void {
    if (this.#sentAt < 0) return;
    const now = this.#services.now();
    const failed = status >= FAILED;
    this.#node?.traffic.answered(now - this.#sentAt, failed, now);
    this.#sentAt = failed ? COUNTED : ANSWERED;
  }

  /** Counts a failure of the present attempt, unless its answer was one. */
  #countFailure(): void {
    if (this.#sentAt === COUNTED) return;
    const now = this.#services.now();
    if (this.#sentAt === ANSWERED) this.#node?.traffic.brokeOff(now);
    else this.#node?.traffic.unanswered(now);
    this.#sentAt = COUNTED;
  }

  rewriteLocation(location: string): string {
    return publicLocation(location, (origin) => this.#isNode(origin));
  }

  #isAtServingLeader(): boolean {
    const { role } = this.#template.route;
    if (role === 'broker') return false;
    const leader = this.#services.cluster.view.leaders[role];
    return leader.state === 'serving' && leader.node === this.#node;
  }

  #isNode(origin: string): boolean {
    return origin === this.#node?.origin || this.#services.cluster.view.nodes.has(origin);
  }
}

/** The query's ids in Druid's answer. */
function idsOf({ queryId, sqlQueryId }: AnswerHead): QueryIds {
  if (queryId === null && sqlQueryId === null) return NO_CONTEXT;
  return { queryId: toldId(queryId), sqlQueryId: toldId(sqlQueryId) };
}
