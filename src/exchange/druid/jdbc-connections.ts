/** Number of JDBC connections remembered; they take some ten megabytes. */
export const MAX_JDBC_CONNECTIONS = 100_000;

/** The Broker of each JDBC connection: `host:port` by connection id. */
export interface JdbcConnections {
  brokerOf(id: string): string | null;
  remember(id: string, hostAndPort: string): void;
  /** Each entry once; those that have been used since the last half was forgotten come last. */
  entries(): Iterable<readonly [id: string, hostAndPort: string]>;
  readonly size: number;
}

/**
 * Creates a table of at most `capacity` connections. To make room, half of them are forgotten, those used least recently,
 * and all at once: a table in which an entry is taken out and put in again at each use is made anew all the time, and one
 * that has reached the old generation keeps all that follow it (`Crowd`).
 */
export function createJdbcConnections(capacity: number): JdbcConnections {
  const half = Math.max(1, Math.floor(capacity / 2));
  let recent = new Map<string, string>();
  let earlier = new Map<string, string>();
  return {
    brokerOf: (id) => recent.get(id) ?? earlier.get(id) ?? null,
    remember(id, hostAndPort) {
      if (recent.get(id) === hostAndPort) return;
      earlier.delete(id);
      recent.set(id, hostAndPort);
      if (recent.size <= half) return;
      recent.delete(id);
      earlier = recent;
      recent = new Map([[id, hostAndPort]]);
    },
    *entries() {
      yield* earlier;
      yield* recent;
    },
    get size() {
      return earlier.size + recent.size;
    },
  };
}
