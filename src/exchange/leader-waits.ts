import type { MasterRole } from '../discovery/discovery.ts';
import type { ExchangeRecord } from './ports/record.ts';

/** Requests that have ended and had waited for a leader, counted by the time without one in which they did. */
export interface LeaderWaits {
  readonly role: MasterRole;
  /** Since when there was no serving leader, in epoch ms (`LeaderView.since`). */
  readonly leaderlessSince: number;
  readonly waited: number;
  /** Of these, the ones that ended in an error of the gateway. */
  readonly failed: number;
}

/** Most counts kept between two calls of `take`; views of a leader change far less often. */
const MOST_COUNTS = 200;

/** Returns the record of one request as such a count; null if it waited for no leader. */
export function leaderWaitsOf({ leaderWait, reason }: Waited): LeaderWaits | null {
  return leaderWait === null ? null : { ...leaderWait, waited: 1, failed: reason === null ? 0 : 1 };
}

type Waited = Pick<ExchangeRecord, 'leaderWait' | 'reason'>;

/** Adds up such requests from their records. It decides nothing. */
export class LeaderWaitTally {
  readonly #counts = new Map<string, { -readonly [K in keyof LeaderWaits]: LeaderWaits[K] }>();

  /** Counts the request if it waited for a leader. */
  add(record: Waited): void {
    const one = leaderWaitsOf(record);
    if (one === null) return;
    const key = `${one.role} ${one.leaderlessSince}`;
    const count = this.#counts.get(key);
    if (count !== undefined) {
      count.waited += one.waited;
      count.failed += one.failed;
    } else if (this.#counts.size < MOST_COUNTS) this.#counts.set(key, one);
  }

  /** Returns the counts since the last call. */
  take(): readonly LeaderWaits[] {
    const counts = [...this.#counts.values()];
    this.#counts.clear();
    return counts;
  }
}
