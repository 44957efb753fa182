import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { UpstreamNode } from '../../../../src/cluster/node.ts';
import { Accounting } from '../../../../src/exchange/accounting.ts';
import { createJdbcConnections } from '../../../../src/exchange/druid/jdbc-connections.ts';
import { createRunningQueries } from '../../../../src/exchange/druid/running-queries.ts';
import type { ResponseCollector } from '../../../../src/exchange/forward/answer/collect.ts';
import { ProxiedRequest } from '../../../../src/exchange/forward/proxied-request.ts';
import { RequestBody } from '../../../../src/exchange/forward/request-body.ts';
import { createSuccession } from '../../../../src/exchange/forward/succession.ts';
import { createCancelLimits } from '../../../../src/exchange/limits/cancel-limits.ts';
import { type CapacityClaim, createConcurrency } from '../../../../src/exchange/limits/concurrency.ts';
import { createWaitQueue } from '../../../../src/exchange/limits/wait-queue.ts';
import { answer } from '../../../../src/exchange/own-answers/answer.ts';
import type { ClientEvents, ClientSide } from '../../../../src/exchange/ports/client.ts';
import type { ExchangeRecord } from '../../../../src/exchange/ports/record.ts';
import type { ExchangeServices } from '../../../../src/exchange/ports/services.ts';
import type {
  UpstreamFailureKind,
  UpstreamHandler,
  UpstreamRequest,
} from '../../../../src/exchange/ports/upstream.ts';
import type { BodySource } from '../../../../src/http/body.ts';
import { NO_LEASE } from '../../../../src/http/buffer-lease.ts';
import { readRequestFields } from '../../../../src/http/request-fields.ts';
import { type AnswerHead, readAnswerHead } from '../../../../src/http/response-head.ts';
import type { ForwardRoute } from '../../../../src/routing/route.ts';
import { chooseTarget } from '../../../../src/routing/target.ts';
import { FakeCluster } from '../../../kit/gateway/gateway-harness.ts';
import { noBodyLimits } from '../../../kit/gateway/no-body-limits.ts';
import { type RecordedErrors, recordErrors } from '../../../kit/gateway/recorded-errors.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What may happen around one request, each more than once and in any order. */
const EVENTS = [
  'leader comes',
  'leader goes',
  'another leads',
  'body comes',
  'head',
  'head of Jetty',
  'redirect',
  'piece',
  'long piece',
  'rest',
  'end',
  'connect',
  'stale',
  'reset',
  'no_answer',
  'stalled',
  'malformed',
  'unsendable',
  'a moment',
  'a second',
  'half a minute',
  'last call',
  'client leaves',
  'client has it',
  'fault',
] as const;
type Event = (typeof EVENTS)[number];

interface Kind {
  readonly role: 'coordinator' | 'broker';
  readonly class: ForwardRoute['class'];
  readonly body: boolean;
  readonly collects: boolean;
  /** For the whole exchange, in milliseconds; 0 is no limit. */
  readonly totalMs: number;
  /** For an answer of a leader that leads no more; 0 is no limit. */
  readonly abandonedMs: number;
  readonly budget: boolean;
  readonly room: boolean;
}

interface Attempt {
  readonly node: UpstreamNode;
  readonly handler: UpstreamHandler;
  readonly request: UpstreamRequest;
  state: 'sent' | 'headed' | 'over';
  /** What came of it last. */
  cause: Event | null;
}

const ON_PURPOSE = 'Error: on purpose';
const QUERY = Buffer.from('{"queryType":"timeseries","context":{"queryId":"q"}}');
const HEAD = 'Content-Type: application/json\r\nContent-Length: 3\r\nX-Druid-Query-Id: q2\r\n';
const URL_BASE = 'http://10.0.0.';

/** One request, and the world around it. */
class World {
  readonly errors: RecordedErrors = recordErrors();
  readonly records: ExchangeRecord[] = [];
  readonly attempts: Attempt[] = [];
  readonly cancels: UpstreamRequest[] = [];
  readonly #cluster = new FakeCluster();
  readonly #running = createRunningQueries();
  readonly #waitQueue;
  readonly #concurrency;
  readonly #kind: Kind;
  readonly #request: ProxiedRequest;
  #events: ClientEvents | null = null;
  #bodyEnd: (() => void) | null = null;
  #closed = false;
  /** Who has the only place, where that is somebody else. */
  readonly #other: CapacityClaim | null;
  /** Times that the budget was withdrawn from since the request was sent last. */
  #withdrawn = 0;
  /** The Coordinator served when the last answer came. */
  #causedByServing = false;
  /** Why it should not have been sent again. */
  readonly #wronglySent: string[] = [];
  heads = 0;
  ended = false;
  reset = false;

  constructor(kind: Kind) {
    this.#kind = kind;
    const now = (): number => performance.now();
    const { errors } = this;
    this.#waitQueue = createWaitQueue({
      cluster: this.#cluster,
      errors,
      maxRequests: 10,
      maxBytes: 1_000_000,
      maxQueued: 10,
      now,
    });
    const roles = { coordinator: 1, overlord: 1, broker: 1 };
    this.#concurrency = createConcurrency({ total: 0, roles, perClient: 0, largeShare: 1 }, (role) =>
      this.#waitQueue.capacityFreed(role),
    );
    // Somebody else has the only place.
    const other = { role: kind.role, client: 'other', large: false };
    if (!kind.room) this.#concurrency.enter(other);
    this.#other = kind.room ? null : other;
    const deps: ExchangeServices = {
      cluster: this.#cluster,
      route: () => {
        throw new Error('not asked');
      },
      chooseTarget,
      tierSelector: null,
      redirectPolicy: null,
      upstreams: { send: (node, request, handler) => this.#send(node, request, handler) },
      waitQueue: this.#waitQueue,
      concurrency: this.#concurrency,
      bodies: noBodyLimits(),
      retryBudget: {
        deposit() {},
        withdraw: () => this.#withdraw(),
      } as unknown as ExchangeServices['retryBudget'],
      cancelLimits: createCancelLimits(1),
      succession: createSuccession(this.#cluster),
      pressure: { high: false, stop() {} },
      runningQueries: this.#running,
      jdbcConnections: createJdbcConnections(10),
      draining: () => false,
      sink: (record) => this.records.push(record),
      errors,
      options: {
        defaultService: 'druid/broker',
        services: new Set(['druid/broker']),
        abandonedTimeoutMs: kind.abandonedMs,
        bufferBodyBytes: 64 * 1024,
        maxWaitMs: 2_000,
        maxWaitByRole: {},
        maxWaitStaleMs: 500,
        maxQueueMs: 1_000,
        timeoutSlackMs: 50,
        totalTimeoutMs: kind.totalMs,
        timeoutsByClass: {},
        cancelOnDisconnect: { native: true, sql: true },
        resetIncomplete: false,
        maxPerNode: 64,
        maxPerNodeForLarge: 64,
        trusts: () => false,
        forwardedHeader: 'x-forwarded-for',
        basePath: '',
        cors: null,
        showsView: () => false,
      },
      now,
      random: () => 0,
    };
    const client = this.#client();
    const { head } = client;
    const account = new Accounting(head, head.remoteAddress, kind.role, kind.class, deps.sink, now);
    const collector: ResponseCollector = {
      accepts: ({ status }) => status === 200,
      onData() {},
      onEnd: () => answer(client, account, { status: 200, body: '{}' }),
    };
    this.#request = new ProxiedRequest(deps, client, account, {
      route: { kind: 'forward', role: kind.role, class: kind.class, target: head.target },
      method: head.method,
      headers: head.block,
      body: new RequestBody(client.body, kind.body ? QUERY.length : 0, 64 * 1024, deps.bodies),
      collector: kind.collects ? collector : null,
      onBehalfOf: 'client',
    });
  }

  start(): void {
    this.#request.start();
  }

  happens(event: Event): void {
    const attempt = this.attempts.findLast(({ state }) => state !== 'over') ?? null;
    const answering = attempt?.state === 'headed' ? attempt.handler : null;
    const fails = (): void => this.#fail(attempt, event as UpstreamFailureKind);
    const steps: Record<Event, () => void> = {
      'leader comes': () => this.#serve(1),
      'another leads': () => this.#serve(2),
      'leader goes': () =>
        this.#kind.role === 'broker' ? this.#cluster.brokers() : this.#cluster.unlead('coordinator'),
      'body comes': () => {
        this.#bodyEnd?.();
        this.#bodyEnd = null;
      },
      head: () => this.#head(attempt, 200, HEAD, event),
      'head of Jetty': () => this.#head(attempt, 503, 'Content-Length: 3\r\n', event),
      redirect: () => this.#head(attempt, 307, `Location: ${URL_BASE}2:8081/x\r\n`, event),
      piece: () => answering?.onData(Buffer.from('abc'), NO_LEASE),
      'long piece': () => answering?.onData(Buffer.alloc(70_000), NO_LEASE),
      rest: () => answering?.onRest(),
      end: () => {
        if (attempt === null || answering === null) return;
        attempt.state = 'over';
        answering.onEnd('');
      },
      connect: fails,
      stale: fails,
      reset: fails,
      no_answer: fails,
      stalled: fails,
      malformed: fails,
      unsendable: fails,
      'a moment': () => vi.advanceTimersByTime(60),
      'a second': () => vi.advanceTimersByTime(1_000),
      'half a minute': () => vi.advanceTimersByTime(30_000),
      'last call': () => this.#waitQueue.close(),
      'client leaves': () => this.#close(false),
      'client has it': () => {
        if (this.ended || this.reset) this.#close(this.ended && !this.reset);
      },
      fault: () => {
        if (!this.#closed) this.#events?.onInternalError(new Error('on purpose'));
      },
    };
    steps[event]();
  }

  /** What must hold after every step. */
  check(): void {
    const { role } = this.#kind;
    const live = this.attempts.filter(({ state }) => state !== 'over').length;
    const waiting = this.#waitQueue.waiting(role);
    const permits = this.#concurrency.under(role) - (this.#other === null ? 0 : 1);
    const answered = this.heads > 0 || this.reset || this.#closed;
    expect(this.heads).toBeLessThanOrEqual(1);
    expect(live).toBeLessThanOrEqual(1);
    expect(this.#running.size > 0 && live === 0).toBe(false);
    // In the queue, it has no permit, no call, and no answer.
    if (waiting > 0) expect([waiting, live, permits, answered]).toEqual([1, 0, 0, false]);
    expect([0, 1]).toContain(permits);
    this.#checkTraffic();
    if (live > 0) expect(permits).toBe(1);
    if (this.#closed) {
      expect([live, waiting, permits, this.#running.size, this.records.length]).toEqual([0, 0, 0, 0, 1]);
    }
  }

  /** When all is over, nothing is left. */
  finish(): void {
    if (!this.#closed) this.#close(this.ended && !this.reset);
    this.check();
    expect(this.#wronglySent).toEqual([]);
    this.#waitQueue.close();
    vi.advanceTimersByTime(1);
    expect(vi.getTimerCount()).toBe(0);
  }

  /** Each attempt at a Broker is counted once at most, with one error at most; masters are not counted. */
  #checkTraffic(): void {
    for (const node of new Set(this.attempts.map((attempt) => attempt.node))) {
      const { attempts, errors } = node.traffic.totals;
      const sent = this.attempts.filter((attempt) => attempt.node === node).length;
      expect(attempts).toBeLessThanOrEqual(this.#kind.role === 'broker' ? sent : 0);
      expect(errors).toBeLessThanOrEqual(attempts);
    }
  }

  #serve(number: number): void {
    if (this.#kind.role === 'broker') this.#cluster.brokers(`${URL_BASE}${number}:8082`);
    else this.#cluster.lead('coordinator', `${URL_BASE}${number}:8081`);
  }

  #head(attempt: Attempt | null, status: number, block: string, cause: Event): void {
    if (attempt?.state !== 'sent') return;
    attempt.state = 'headed';
    attempt.cause = cause;
    const { coordinator } = this.#cluster.view.leaders;
    this.#causedByServing = coordinator.state === 'serving' && coordinator.node === attempt.node;
    attempt.handler.onHead(readAnswerHead(status, '', 1, block) as AnswerHead);
  }

  #fail(attempt: Attempt | null, kind: UpstreamFailureKind): void {
    if (attempt === null) return;
    const answered = attempt.state === 'headed';
    attempt.state = 'over';
    attempt.cause = kind;
    attempt.handler.onFailure({ kind, answered });
  }

  #send(node: UpstreamNode, request: UpstreamRequest, handler: UpstreamHandler): { abort(): void } {
    if (request.method === 'DELETE') {
      this.cancels.push(request);
      return { abort() {} };
    }
    const attempt: Attempt = { node, handler, request, state: 'sent', cause: null };
    this.#judge(this.attempts.at(-1)?.cause ?? null);
    this.attempts.push(attempt);
    return {
      abort() {
        attempt.state = 'over';
        // Only for another leader is it sent again after that.
        attempt.cause ??= 'another leads';
      },
    };
  }

  #withdraw(): boolean {
    if (this.#kind.budget) this.#withdrawn++;
    return this.#kind.budget;
  }

  /** It is sent again, if anything came of it before. */
  #judge(cause: Event | null): void {
    const { role, class: routeClass } = this.#kind;
    if (this.heads > 0) this.#wronglySent.push('its client has seen a head');
    if (cause === null || cause === 'connect') return;
    if (routeClass === 'write' && cause !== 'redirect') this.#wronglySent.push(`a write after ${cause}`);
    // A kept connection says nothing of the node, and a master that is not ready is asked for as long as there is time.
    const unready = cause === 'head of Jetty' && role !== 'broker';
    const free = cause === 'stale' || (unready && !this.#causedByServing);
    if (!free && this.#withdrawn !== 1)
      this.#wronglySent.push(`${this.#withdrawn} withdrawals after ${cause}`);
    this.#withdrawn = 0;
  }

  #close(finished: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.onClose(finished);
  }

  #client(): ClientSide {
    const { body: hasBody, class: routeClass } = this.#kind;
    const block = 'Host: a\r\n';
    const source: BodySource = {
      whole: null,
      deliver: (onData, onEnd) => {
        this.#bodyEnd = () => {
          onData(QUERY);
          onEnd();
        };
      },
      pause() {},
      resume() {},
    };
    const world = this;
    return {
      head: {
        method: hasBody ? 'POST' : 'GET',
        target: routeClass === 'query' ? '/druid/v2' : '/x',
        block,
        fields: readRequestFields(block),
        httpMinor: 1,
        remoteAddress: 'client',
        encrypted: false,
        certificateName: null,
        id: 'r',
        receivedAt: performance.now(),
      },
      body: source,
      invite() {},
      listen: (events) => {
        this.#events = events;
      },
      writeHead: () => {
        this.heads++;
      },
      writeInterim() {},
      write: (_, lease) => lease.release(),
      flush() {},
      end: () => {
        this.ended = true;
      },
      get begun() {
        return world.heads > 0;
      },
      get over() {
        return world.#closed;
      },
      reset: () => {
        if (!this.ended) this.reset = true;
      },
    };
  }
}

/** What has a request sent, and has it wait, is more frequent than what ends it. */
const OFTEN: readonly Event[] = [
  'leader comes',
  'leader goes',
  'a moment',
  'a second',
  'connect',
  'head',
  'body comes',
];
const RARELY: readonly Event[] = ['client leaves', 'client has it', 'fault', 'last call', 'half a minute'];
const events = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...OFTEN) },
  { weight: 4, arbitrary: fc.constantFrom(...EVENTS.filter((event) => !RARELY.includes(event))) },
  { weight: 1, arbitrary: fc.constantFrom(...RARELY) },
);

const kinds: fc.Arbitrary<Kind> = fc.record({
  role: fc.constantFrom('coordinator', 'broker'),
  class: fc.constantFrom('read', 'query', 'write'),
  body: fc.boolean(),
  collects: fc.boolean(),
  totalMs: fc.constantFrom(0, 300),
  abandonedMs: fc.constantFrom(0, 100, 2_000),
  budget: fc.boolean(),
  room: fc.boolean(),
});

test('whatever happens to a request, and in whatever order, it has one answer and gives everything back', () => {
  fc.assert(
    fc.property(kinds, fc.array(events, { maxLength: 30, size: 'max' }), (kind, happening) => {
      vi.clearAllTimers();
      const world = new World(kind);
      world.start();
      world.check();
      for (const event of happening) {
        world.happens(event);
        world.check();
      }
      world.finish();
      expect(world.errors.lines.map(({ error }) => error).filter((error) => error !== ON_PURPOSE)).toEqual(
        [],
      );
    }),
    { numRuns: 4_000 },
  );
});
