/** Number of JDBC connections remembered; they take some ten megabytes. */
export const MAX_JDBC_CONNECTIONS = 100_000;

/** The Broker of each JDBC connection: `host:port` by connection id. */
export interface JdbcConnections {
  brokerOf(id: string): string | null;
  remember(id: string, hostAndPort: string): void;
  /** The entries, least recently used first. */
  entries(): Iterable<readonly [id: string, hostAndPort: string]>;
  readonly size: number;
}

/** Creates a table of `capacity` connections; beyond that, the least recently used ones are forgotten. */
export function createJdbcConnections(capacity: number): JdbcConnections {
  // A `Map` keeps the order of insertion, so the first entry is the least recently used.
  const brokers = new Map<string, string>();
  return {
    brokerOf: (id) => brokers.get(id) ?? null,
    remember(id, hostAndPort) {
      brokers.delete(id);
      brokers.set(id, hostAndPort);
      if (brokers.size <= capacity) return;
      const [oldest] = brokers.keys();
      if (oldest !== undefined) brokers.delete(oldest);
    },
    entries: () => brokers.entries(),
    get size() {
      return brokers.size;
    },
  };
}
