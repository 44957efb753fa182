export interface LivenessLimits {
  /** An event loop that was busy with one thing for longer was stuck, in milliseconds; 0 is never. */
  readonly maxStall: number;
  /** So many errors of the gateway itself in a minute are too many; 0 is never. */
  readonly maxInternalErrors: number;
}

/** What a process says of itself. */
export interface Pulse {
  /** Errors of the gateway itself since its start. */
  readonly internalErrors: number;
  /** The longest stall since the last pulse, in milliseconds. */
  readonly stalledMs: number;
}

export type NotLive = 'event_loop_stuck' | 'internal_errors' | 'no_worker';

/** Whether the gateway is beyond mending itself, so that whoever runs it should start it again. */
export interface Liveness {
  /** A process, told apart by `who`, says what it is like. */
  heard(who: object, pulse: Pulse): void;
  /** Whether anybody serves clients, or is not expected to. */
  serves(somebody: boolean): void;
  /** Null while all is well. */
  verdict(): NotLive | null;
}

/** A stall is told for so long after it: while it lasts nobody is told anything. */
const STALL_SHOWN_MS = 30_000;
const ERRORS_WITHIN_MS = 60_000;
/** Workers come back within ten seconds, unless they cannot. */
const NOBODY_SERVES_MS = 60_000;

/** `now` is in milliseconds on a monotonic clock. */
export function createLiveness(
  { maxStall, maxInternalErrors }: LivenessLimits,
  now: () => number = () => performance.now(),
): Liveness {
  const totals = new WeakMap<object, number>();
  /** When how many were told, oldest first. */
  let errors: { readonly at: number; readonly count: number }[] = [];
  let stalledAt = Number.NEGATIVE_INFINITY;
  let servedAt = now();

  return {
    heard(who, { internalErrors, stalledMs }) {
      const at = now();
      const count = internalErrors - (totals.get(who) ?? 0);
      totals.set(who, internalErrors);
      if (count > 0) errors.push({ at, count });
      if (maxStall > 0 && stalledMs > maxStall) stalledAt = at;
    },
    serves(somebody) {
      if (somebody) servedAt = now();
    },
    verdict() {
      const time = now();
      errors = errors.filter(({ at }) => time - at < ERRORS_WITHIN_MS);
      const recent = errors.reduce((sum, { count }) => sum + count, 0);
      if (time - stalledAt < STALL_SHOWN_MS) return 'event_loop_stuck';
      if (maxInternalErrors > 0 && recent > maxInternalErrors) return 'internal_errors';
      return time - servedAt > NOBODY_SERVES_MS ? 'no_worker' : null;
    },
  };
}
