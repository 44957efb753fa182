/** Cancels of clients that are under way: each is asked of several Brokers, outside the limits of queries. */
export interface CancelLimits {
  /** The limit that leaves no room for one more of this client; null if there is room. */
  limitReached(client: string): 'client' | 'all' | null;
  enter(client: string): void;
  /** One of this client, all of whose Brokers have answered or been given up. */
  leave(client: string): void;
  readonly under: number;
}

/** One client may have a quarter of `max` under way: a script that cancels in a loop leaves room for others. */
export function createCancelLimits(max: number): CancelLimits {
  const perClient = Math.ceil(max / 4);
  const byClient = new Map<string, number>();
  let under = 0;
  return {
    limitReached(client) {
      if (under >= max) return 'all';
      return (byClient.get(client) ?? 0) >= perClient ? 'client' : null;
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
  };
}
