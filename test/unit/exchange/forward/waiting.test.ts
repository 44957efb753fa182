import { EventEmitter } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Role } from '../../../../src/discovery/discovery.ts';
import { createConcurrency } from '../../../../src/exchange/limits/concurrency.ts';
import { createRetryBudget } from '../../../../src/exchange/limits/retry-budget.ts';
import {
  createWaitQueue,
  type PendingRequest,
  type WaitQueue,
  type WaitQueueOptions,
} from '../../../../src/exchange/limits/wait-queue.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';

const cluster = new EventEmitter<{ view: [] }>();
let waitQueue: WaitQueue;
let time = 0;
let gone: string[] = [];

function begin(limits: Partial<WaitQueueOptions> = {}): void {
  time = 0;
  gone = [];
  waitQueue = createWaitQueue({
    cluster,
    errors: recordErrors(),
    maxRequests: 1_000,
    maxBytes: 1_000,
    maxQueued: 1_000,
    now: () => time,
    ...limits,
  });
}

beforeEach(() => begin());
afterEach(() => waitQueue.close());

class Guest implements PendingRequest {
  readonly name: string;
  readonly flow: string;
  readonly role: Role = 'broker';
  readonly bytes: number;
  readonly needsCapacity: boolean;
  end: 'went' | 'expired' | null = null;
  static mayGo: () => boolean = () => false;

  constructor(name: string, lane = 'a', { bytes = 0, crowded = false } = {}) {
    this.name = name;
    this.flow = lane;
    this.bytes = bytes;
    this.needsCapacity = crowded;
  }

  canGo(): boolean {
    return Guest.mayGo();
  }

  deadline(): number {
    return 100;
  }

  go(): void {
    this.end = 'went';
    gone.push(this.name);
  }

  expire(): void {
    this.end = 'expired';
    gone.push(`${this.name} expired`);
  }

  onInternalError(error: unknown): void {
    gone.push(`${this.name} failed: ${String(error)}`);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function allGone(count: number): Promise<void> {
  while (gone.length < count) await turn();
}

describe('waiting', () => {
  test('a thousand are let go in order, a few in each turn of the event loop', async () => {
    Guest.mayGo = () => false;
    const names = Array.from({ length: 1_000 }, (_, i) => `g${i}`);
    for (const name of names) expect(waitQueue.park(new Guest(name))).toBeNull();
    expect(waitQueue.waiting('broker')).toBe(1_000);
    Guest.mayGo = () => true;
    cluster.emit('view');
    let most = 0;
    while (gone.length < 1_000) {
      const before = gone.length;
      await turn();
      most = Math.max(most, gone.length - before);
    }
    expect(gone).toEqual(names);
    expect(most).toBeLessThanOrEqual(16);
    expect(waitQueue.waiting('broker')).toBe(0);
  });

  test('is bounded by number and by bytes, of each role', () => {
    Guest.mayGo = () => false;
    begin({ maxRequests: 3, maxBytes: 100 });
    expect(waitQueue.park(new Guest('1', 'a', { bytes: 60 }))).toBeNull();
    expect(waitQueue.park(new Guest('2', 'a', { bytes: 60 }))).toBe('bytes');
    const leaves = new Guest('3', 'b', { bytes: 40 });
    expect(waitQueue.park(leaves)).toBeNull();
    waitQueue.leave(leaves);
    expect(waitQueue.park(new Guest('4', 'a', { bytes: 40 }))).toBeNull();
    expect(waitQueue.park(new Guest('5'))).toBeNull();
    expect(waitQueue.park(new Guest('6'))).toBe('requests');
    waitQueue.close();
    begin({ maxRequests: 3, maxBytes: 100, byRole: { broker: { maxRequests: 1 } } });
    expect(waitQueue.park(new Guest('7'))).toBeNull();
    expect(waitQueue.park(new Guest('8'))).toBe('requests');
  });

  test('ends at the deadline, and for all when it closes', async () => {
    Guest.mayGo = () => false;
    const [one, another] = [new Guest('one'), new Guest('another')];
    waitQueue.park(one);
    time = 100;
    await allGone(1);
    expect(one.end).toBe('expired');
    time = 0;
    waitQueue.park(another);
    waitQueue.close();
    expect(another.end).toBe('expired');
    expect(waitQueue.park(new Guest('late'))).toBe('closed');
  });
});

describe('waiting for room', () => {
  test('clients go by turns, so that one with many requests does not keep the others waiting', async () => {
    Guest.mayGo = () => false;
    for (let i = 0; i < 10; i++) waitQueue.park(new Guest(`noisy${i}`, 'noisy', { crowded: true }));
    for (let i = 0; i < 3; i++) waitQueue.park(new Guest(`quiet${i}`, 'quiet', { crowded: true }));
    expect(waitQueue.queued('broker')).toBe(13);
    // Room for one request at a time.
    let room = 0;
    Guest.mayGo = () => room-- > 0;
    for (let i = 1; i <= 7; i++) {
      room = 1;
      waitQueue.capacityFreed('broker');
      await allGone(i);
    }
    expect(gone).toEqual(['noisy0', 'quiet0', 'noisy1', 'quiet1', 'noisy2', 'quiet2', 'noisy3']);
  });

  test('one client fills at most half of the queue', () => {
    Guest.mayGo = () => false;
    begin({ maxQueued: 4 });
    const park = (client: string) => waitQueue.park(new Guest('', client, { crowded: true }));
    expect([park('noisy'), park('noisy'), park('noisy')]).toEqual([null, null, 'queue']);
    expect([park('quiet'), park('quiet'), park('third')]).toEqual([null, null, 'queue']);
  });
});

test('those who came for a leader take no part of the queue for room from their client', () => {
  Guest.mayGo = () => false;
  begin({ maxQueued: 4 });
  for (let i = 0; i < 3; i++) expect(waitQueue.park(new Guest(`early${i}`, 'one'))).toBeNull();
  const park = () => waitQueue.park(new Guest('', 'one', { crowded: true }));
  expect([park(), park(), park()]).toEqual([null, null, 'queue']);
});

describe('concurrency', () => {
  const roles = { coordinator: 0, overlord: 0, broker: 4 };
  const claim = (client: string, large = false, role: Role = 'broker') => ({ role, client, large });

  test('large requests leave a part of the limit to small ones', () => {
    const limits = createConcurrency({ total: 0, roles, perClient: 0, largeShare: 0.5 }, () => {});
    limits.enter(claim('a', true));
    limits.enter(claim('a', true));
    expect(limits.limitReached(claim('a', true))).toBe('overloaded');
    expect(limits.limitReached(claim('a'))).toBeNull();
    limits.enter(claim('a'));
    limits.enter(claim('a'));
    expect(limits.limitReached(claim('a'))).toBe('overloaded');
    expect(limits.limitReached(claim('a', false, 'overlord'))).toBeNull();
  });

  test('of all roles together, and of one client', () => {
    const limits = createConcurrency({ total: 3, roles, perClient: 2, largeShare: 1 }, () => {});
    limits.enter(claim('a'));
    limits.enter(claim('a', false, 'overlord'));
    expect(limits.limitReached(claim('a'))).toBe('client');
    limits.enter(claim('b'));
    expect(limits.limitReached(claim('c'))).toBe('overloaded');
    limits.leave(claim('a'));
    expect(limits.limitReached(claim('a'))).toBeNull();
  });

  test('whatever comes and goes, the limits hold and all is given back', () => {
    const claims = fc.record({
      client: fc.constantFrom('a', 'b', 'c'),
      large: fc.boolean(),
      role: fc.constantFrom<Role>('broker', 'overlord'),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(claims, fc.boolean()), { maxLength: 100 }), (steps) => {
        let told = 0;
        const limits = createConcurrency({ total: 6, roles, perClient: 3, largeShare: 0.5 }, () => told++);
        const running: (typeof steps)[0][0][] = [];
        for (const [request, comes] of steps) {
          const leaves = running[0];
          if (comes && limits.limitReached(request) === null) {
            limits.enter(request);
            running.push(request);
          } else if (!comes && leaves !== undefined) {
            limits.leave(leaves);
            running.shift();
          }
          const ofBroker = running.filter(({ role }) => role === 'broker');
          expect(limits.under('broker')).toBe(ofBroker.length);
          expect(running.length).toBeLessThanOrEqual(6);
          expect(ofBroker.length).toBeLessThanOrEqual(4);
          expect(ofBroker.filter(({ large }) => large).length).toBeLessThanOrEqual(2);
          expect(running.filter(({ client }) => client === 'a').length).toBeLessThanOrEqual(3);
        }
        const before = told;
        for (const request of running) limits.leave(request);
        expect(told).toBe(before + running.length);
        expect(limits.limitReached(claim('a', true))).toBeNull();
      }),
    );
  });
});

describe('the retry budget', () => {
  test('is a share of the requests of the last ten seconds, and a minimum', () => {
    const budget = createRetryBudget({ share: 0.1, minPerSecond: 1 });
    for (let i = 0; i < 100; i++) budget.deposit(i);
    let allowed = 0;
    while (budget.withdraw(100)) allowed++;
    expect(allowed).toBe(20);
    expect(budget.refusals).toBe(1);
    // Eleven seconds later both requests and repeats are forgotten.
    allowed = 0;
    while (budget.withdraw(11_100)) allowed++;
    expect(allowed).toBe(10);
  });

  test('never lets through more than its share and minimum in any ten seconds', () => {
    const steps = fc.array(fc.tuple(fc.nat(700), fc.boolean()), { maxLength: 300 });
    fc.assert(
      fc.property(steps, (list) => {
        const budget = createRetryBudget({ share: 0.2, minPerSecond: 0 });
        const requests: number[] = [];
        const repeats: number[] = [];
        let now = 0;
        for (const [after, isRequest] of list) {
          now += after;
          if (isRequest) {
            budget.deposit(now);
            requests.push(now);
          } else if (budget.withdraw(now)) repeats.push(now);
          const first = (Math.floor(now / 1_000) - 9) * 1_000;
          const recent = (times: number[]): number => times.filter((at) => at >= first).length;
          // What was allowed stays allowed when the requests that earned it grow old.
          if (!isRequest && repeats.at(-1) === now) {
            expect(recent(repeats) - 1).toBeLessThan(recent(requests) * 0.2 + 1e-9);
          }
        }
      }),
    );
  });
});

describe('an error of its own', () => {
  let fails = false;
  const errors = recordErrors();
  beforeEach(() => {
    waitQueue.close();
    begin({
      errors,
      now: () => {
        if (fails) throw new Error('no time');
        return time;
      },
    });
    Guest.mayGo = () => false;
    waitQueue.park(new Guest('one'));
  });
  afterEach(() => {
    fails = false;
    vi.useRealTimers();
  });

  test('when it looks who may go is told, and it looks again when it is to', async () => {
    const before = errors.total;
    Guest.mayGo = () => true;
    fails = true;
    cluster.emit('view');
    while (errors.total === before) await turn();
    fails = false;
    expect(errors.lines.at(-1)).toMatchObject({ place: 'request', error: 'Error: no time' });
    expect(gone).toEqual([]);
    cluster.emit('view');
    await allGone(1);
    expect(gone).toEqual(['one']);
  });

  test('when it looks whose time is up is told, and the next look finds them', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    waitQueue.close();
    begin({
      errors,
      now: () => {
        if (fails) throw new Error('no time');
        return time;
      },
    });
    waitQueue.park(new Guest('two'));
    const before = errors.total;
    time = 100;
    fails = true;
    while (errors.total === before) vi.advanceTimersToNextTimer();
    fails = false;
    expect(errors.lines.at(-1)).toMatchObject({ place: 'request', error: 'Error: no time' });
    expect(gone).toEqual([]);
    vi.advanceTimersToNextTimer();
    expect(gone).toEqual(['two expired']);
  });
});
