/** JDBC connections that are remembered: some ten megabytes. */
export const MAX_JDBC_CONNECTIONS = 100_000;

/** Which Broker has which JDBC connection: by id, the Broker's `host:port`. */
export interface JdbcConnections {
  brokerOf(id: string): string | null;
  remember(id: string, hostAndPort: string): void;
  /** Those used longest ago first. */
  entries(): Iterable<readonly [id: string, hostAndPort: string]>;
  readonly size: number;
}

/** Remembers so many connections; beyond, those that have not been used for the longest time are forgotten. */
export function createJdbcConnections(capacity: number): JdbcConnections {
  // A Map keeps the order of insertion: the first is the one used longest ago.
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
