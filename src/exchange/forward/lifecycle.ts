/**
 * The states of a proxied request. Each is a bit, so a set of states is a number.
 *
 * | state | the request | what it holds |
 * |---|---|---|
 * | `NEW` | has just arrived | |
 * | `READING` | has a small body that is still arriving | |
 * | `WAITING` | is in the wait queue | its place in the queue |
 * | `SENT` | is at a node, which has not answered | a call, its permit |
 * | `HOLDING` | has an answer that the client has not seen | a call, its permit, the answer |
 * | `COLLECTING` | has an answer that the gateway completes | a call, its permit |
 * | `RELAYING` | has an answer that goes to the client | a call until the answer is complete, its permit |
 * | `ANSWERED` | has the gateway's own answer, or will be reset | |
 * | `CLOSED` | is over; no event follows | |
 */
export const State = {
  NEW: 1,
  READING: 2,
  WAITING: 4,
  SENT: 8,
  HOLDING: 16,
  COLLECTING: 32,
  RELAYING: 64,
  ANSWERED: 128,
  CLOSED: 256,
} as const;

export type State = (typeof State)[keyof typeof State];

const { NEW, READING, WAITING, SENT, HOLDING, COLLECTING, RELAYING, ANSWERED, CLOSED } = State;

/** Nothing has been sent, or the last attempt is over, so the request may be sent. */
export const MAY_BEGIN = NEW | READING | WAITING;
/** A node works on the request. */
export const AT_NODE = SENT | HOLDING | COLLECTING | RELAYING;
/** A node works on the request, and the client has seen nothing of the answer. */
export const UNSHOWN = SENT | HOLDING | COLLECTING;
/** No event changes the outcome any more. */
export const OVER = ANSWERED | CLOSED;

/** The head goes to the client only on entering `RELAYING` or `ANSWERED`. Neither state leads to the other. */
const NEXT: Readonly<Record<State, number>> = {
  [NEW]: READING | WAITING | SENT | ANSWERED | CLOSED,
  [READING]: READING | WAITING | SENT | ANSWERED | CLOSED,
  [WAITING]: READING | WAITING | SENT | ANSWERED | CLOSED,
  [SENT]: SENT | HOLDING | COLLECTING | RELAYING | WAITING | ANSWERED | CLOSED,
  [HOLDING]: RELAYING | SENT | WAITING | ANSWERED | CLOSED,
  [COLLECTING]: SENT | WAITING | ANSWERED | CLOSED,
  [RELAYING]: CLOSED,
  [ANSWERED]: CLOSED,
  [CLOSED]: 0,
};

/** Whether `state` is in the set. */
export function isIn(state: State, set: number): boolean {
  return (state & set) !== 0;
}

/** Whether a request may go from one state to another. */
export function mayBecome(from: State, to: State): boolean {
  return isIn(to, NEXT[from]);
}

/** The name of a state, for error messages. */
export function nameOf(state: State): string {
  return Object.entries(State).find(([, value]) => value === state)?.[0] ?? String(state);
}
