/** Counts the running cancels of clients. Each one asks several Brokers, and none counts against the query limits. */
export interface CancelLimits {
  /** The limit that one more cancel of this client would exceed; null if there is room. */
  limitReached(client: string): 'client' | 'all' | null;
  enter(client: string): void;
  /** Ends one cancel of this client: all its Brokers have answered or been given up. */
  leave(client: string): void;
  readonly under: number;
  /** Changes the most that run at once; the running ones count on. */
  setLimit(max: number): void;
}

/**
 * Creates the limits: at most `max` cancels run at once, and one client may have a quarter of them. A script that
 * cancels in a loop leaves room for others.
 */
export function createCancelLimits(max: number): CancelLimits {
  let most = max;
  const byClient = new Map<string, number>();
  let under = 0;
  return {
    limitReached(client) {
      if (under >= most) return 'all';
      return (byClient.get(client) ?? 0) >= Math.ceil(most / 4) ? 'client' : null;
    },
    enter(client) {
      under++;
      byClient.set(client, (byClient.get(client) ?? 0) + 1);
    },
    leave(client) {
      under--;
      const left = (byClient.get(client) ?? 0) - 1;
      if (left > 0) byClient.set(client, left);
      else byClient.delete(client);
    },
    get under() {
      return under;
    },
    setLimit(max) {
      most = max;
    },
  };
}
