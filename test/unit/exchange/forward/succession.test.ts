import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { LeaderView } from '../../../../src/cluster/view.ts';
import {
  createSuccession,
  type Follower,
  type Following,
  LAST_WORD_MS,
} from '../../../../src/exchange/forward/succession.ts';
import { FakeCluster } from '../../../kit/gateway/gateway-harness.ts';

const A = 'http://10.0.0.1:8081';
const B = 'http://10.0.0.2:8081';
const ABANDONED_MS = 2_000;

let cluster: FakeCluster;
let heard: string[];

beforeEach(() => {
  vi.useFakeTimers();
  cluster = new FakeCluster();
  heard = [];
});
afterEach(() => {
  vi.useRealTimers();
});

function lead(origin: string, term: number | null, state: 'serving' | 'elected' = 'serving'): void {
  const node = cluster.node(origin);
  const common = { role: 'coordinator', node, term, knownBy: 'both', since: 1 } as const;
  const coordinator: LeaderView =
    state === 'serving'
      ? { ...common, state, waitReason: null }
      : { ...common, state, waitReason: 'leader_initialising' };
  cluster.change({ leaders: { ...cluster.view.leaders, coordinator } });
}

const listener = (): Follower => ({
  onSucceeded: () => void heard.push('succeeded'),
  onAbandoned: () => void heard.push('abandoned'),
  onInternalError: (error) => void heard.push(String(error)),
});

function follow(origin: string, abandonedTimeoutMs = ABANDONED_MS, follower = listener()): Following {
  return createSuccession(cluster).follow('coordinator', cluster.node(origin), follower, abandonedTimeoutMs);
}

describe('a request at a leader', () => {
  test('is told a moment after another one serves, and again when it has waited long enough', () => {
    lead(A, 1);
    follow(A);
    lead(B, 2, 'elected');
    vi.advanceTimersByTime(60_000);
    expect(heard).toEqual([]);
    lead(B, 2);
    vi.advanceTimersByTime(LAST_WORD_MS - 1);
    expect(heard).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(heard).toEqual(['succeeded']);
    vi.advanceTimersByTime(ABANDONED_MS - LAST_WORD_MS - 1);
    expect(heard).toEqual(['succeeded']);
    vi.advanceTimersByTime(1);
    expect(heard).toEqual(['succeeded', 'abandoned']);
  });

  test('is told of the same node with another term, and not of a term that becomes known or is lost', () => {
    lead(A, null);
    follow(A);
    lead(A, 7);
    vi.advanceTimersByTime(60_000);
    follow(A);
    lead(A, null);
    vi.advanceTimersByTime(60_000);
    expect(heard).toEqual([]);
    lead(A, 8);
    vi.advanceTimersByTime(LAST_WORD_MS);
    expect(heard).toEqual(['succeeded']);
  });

  test('hears nothing where its leader leads again by then, or it has left', () => {
    lead(A, null);
    follow(A);
    follow(A).leave();
    lead(B, null);
    lead(A, null);
    vi.advanceTimersByTime(60_000);
    expect(heard).toEqual([]);
  });

  test('is given up at once with a short limit, and never without one', () => {
    lead(A, 1);
    follow(A, 100);
    lead(B, 2);
    vi.advanceTimersByTime(100);
    expect(heard).toEqual(['abandoned']);
    follow(A, 0);
    vi.advanceTimersByTime(600_000);
    expect(heard).toEqual(['abandoned', 'succeeded']);
  });

  test('fails alone when what it does throws', () => {
    lead(A, 1);
    const broken = (): never => {
      throw new Error('on purpose');
    };
    follow(A, ABANDONED_MS, { ...listener(), onSucceeded: broken });
    follow(A);
    lead(B, 2);
    vi.advanceTimersByTime(LAST_WORD_MS);
    expect(heard).toEqual(['Error: on purpose', 'succeeded']);
  });
});

test('whoever leads when, only who is at a former leader is told, each thing once, and no timer is left', () => {
  const happening = fc.array(
    fc.record({
      origin: fc.constantFrom(A, B),
      term: fc.constantFrom(1, 2, 3),
      state: fc.constantFrom('serving', 'elected'),
      passes: fc.constantFrom(0, 100, LAST_WORD_MS, ABANDONED_MS),
    }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(happening, (steps) => {
      vi.clearAllTimers();
      cluster = new FakeCluster();
      heard = [];
      lead(A, 1);
      const isAt = (): boolean => {
        const { node, term } = cluster.view.leaders.coordinator;
        return node?.origin === A && term === 1;
      };
      const following = follow(A, ABANDONED_MS, {
        ...listener(),
        onSucceeded: () => void heard.push(`succeeded ${isAt()}`),
        onAbandoned: () => void heard.push(`abandoned ${isAt()}`),
      });
      for (const { origin, term, state, passes } of steps) {
        lead(origin, term, state);
        vi.advanceTimersByTime(passes);
      }
      expect(heard.filter((what) => what.endsWith('true'))).toEqual([]);
      following.leave();
      expect(vi.getTimerCount()).toBe(0);
    }),
  );
});
