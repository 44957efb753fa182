import type { Latch, LatchParticipant } from '../discovery.ts';
import type { LeaderRecord, ParsedRecord } from './leader-record.ts';

/**
 * One leader election, as its ConfigMap shows it over time. Nobody says that a leader has died: its record stays, and
 * stops changing. Candidates (`LeaderElector` of the Kubernetes client) take the lock once it has not changed for the
 * length of its lease by their own clocks, counted from when they saw it change; so do we, since the times in the
 * record would need clocks that agree.
 */
export interface Lease {
  /**
   * Takes what has just been read; null if the ConfigMap is not there. `now` is in ms of a clock that never goes back.
   * Returns true if the election began anew: the ConfigMap is another one, whose terms count from 0 again.
   */
  observe(read: ParsedRecord | null, now: number): boolean;
  /** How long the present record still holds without a change, in ms; null where nobody holds it. */
  holdsMs(now: number): number | null;
  /** The record that holds; null where nobody leads. */
  holder(now: number): LeaderRecord | null;
  /** The length of the lease that was read last, in ms; null before any. */
  readonly leaseMs: number | null;
}

/** Creates an election of which nothing has been read. */
export function createLease(): Lease {
  let text = '';
  let uid = '';
  let record: LeaderRecord | null = null;
  let changedAt = 0;
  let leaseMs: number | null = null;

  const remaining = (now: number): number | null =>
    record === null ? null : Math.max(0, changedAt + record.leaseMs - now);

  return {
    observe(read, now) {
      const isAnother = read !== null && uid !== '' && read.uid !== uid;
      if (read === null || read.text !== text) changedAt = now;
      text = read?.text ?? '';
      uid = read?.uid ?? uid;
      record = read?.record ?? null;
      leaseMs = record?.leaseMs ?? leaseMs;
      return isAnother;
    },
    holdsMs: remaining,
    holder: (now) => (remaining(now) === 0 ? null : record),
    get leaseMs() {
      return leaseMs;
    },
  };
}

const NO_LATCH: Latch = { participants: [] };

/** A record as a latch: candidates do not queue, so there is one participant or none. */
export function latchOf(record: LeaderRecord | null, isAllowed: (origin: string) => boolean): Latch {
  if (record === null) return NO_LATCH;
  const { origin, transitions } = record;
  const participant: LatchParticipant = {
    sequence: transitions,
    origin: origin !== null && isAllowed(origin) ? origin : null,
  };
  return { participants: [participant] };
}
