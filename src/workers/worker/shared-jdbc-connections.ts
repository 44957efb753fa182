import { createJdbcConnections, type JdbcConnections } from '../../exchange/druid/jdbc-connections.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import type { ConnectionEntry } from '../protocol/messages.ts';

/** JDBC connections known to all workers, whichever worker saw the first request. */
export interface SharedJdbcConnections extends JdbcConnections {
  /** Adds the connections that the primary passed on. */
  learn(entries: readonly ConnectionEntry[]): void;
}

/**
 * Calls `share` with the new connections, at most once per turn of the event loop. If it throws, the error is
 * reported and the other workers do not learn of these connections; later ones are still shared.
 */
export function createSharedJdbcConnections(
  capacity: number,
  share: (entries: readonly ConnectionEntry[]) => void,
  errors: InternalErrors,
): SharedJdbcConnections {
  const known = createJdbcConnections(capacity);
  let fresh: ConnectionEntry[] = [];

  function announce(): void {
    const entries = fresh;
    fresh = [];
    contain(
      () => share(entries),
      (error) => errors.report('worker', error),
    );
  }

  return {
    brokerOf: (id) => known.brokerOf(id),
    entries: () => known.entries(),
    remember(id, hostAndPort) {
      if (known.brokerOf(id) !== hostAndPort) {
        fresh.push([id, hostAndPort]);
        if (fresh.length === 1) setImmediate(announce);
      }
      known.remember(id, hostAndPort);
    },
    learn(entries) {
      for (const [id, hostAndPort] of entries) known.remember(id, hostAndPort);
    },
    get size() {
      return known.size;
    },
  };
}
