import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AT_NODE,
  isIn,
  MAY_BEGIN,
  mayBecome,
  nameOf,
  OVER,
  State,
} from '../../../../src/exchange/forward/lifecycle.ts';

const ALL = Object.values(State);

/** A walk along the ways that there are. */
const walks = fc.array(fc.nat(), { minLength: 1, maxLength: 40 }).map((choices) => {
  const walk: State[] = [State.NEW];
  for (const choice of choices) {
    const last = walk.at(-1) as State;
    const ways = ALL.filter((state) => mayBecome(last, state));
    if (ways.length > 0) walk.push(ways[choice % ways.length] as State);
  }
  return walk;
});

describe('the states of a request', () => {
  test('are each of one kind: not sent, at a node, or over', () => {
    for (const state of ALL) {
      const kinds = [MAY_BEGIN, AT_NODE, OVER].filter((kind) => isIn(state, kind));
      expect([nameOf(state), kinds.length]).toEqual([nameOf(state), 1]);
    }
  });

  test('all lead to the end, at once, and nothing leads away from it', () => {
    for (const state of ALL) {
      expect([nameOf(state), mayBecome(state, State.CLOSED)]).toEqual([
        nameOf(state),
        state !== State.CLOSED,
      ]);
      expect(mayBecome(State.CLOSED, state)).toBe(false);
    }
  });

  test('show a client one head at most, whatever happens', () => {
    fc.assert(
      fc.property(walks, (walk) => {
        const heads = walk.filter((state) => state === State.RELAYING || state === State.ANSWERED);
        expect(heads.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 5_000 },
    );
  });

  test('do not let a request be sent, or wait, once its client has seen a head', () => {
    fc.assert(
      fc.property(walks, (walk) => {
        const head = walk.findIndex((state) => state === State.RELAYING || state === State.ANSWERED);
        const after = head === -1 ? [] : walk.slice(head + 1);
        expect(after.filter((state) => state !== State.CLOSED)).toEqual([]);
      }),
      { numRuns: 5_000 },
    );
  });

  test('are held before an answer is shown only behind a node that has answered', () => {
    for (const state of [State.HOLDING, State.COLLECTING]) {
      expect(ALL.filter((from) => mayBecome(from, state))).toEqual([State.SENT]);
    }
  });
});
