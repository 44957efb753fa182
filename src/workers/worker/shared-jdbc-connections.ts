import { createJdbcConnections, type JdbcConnections } from '../../exchange/druid/jdbc-connections.ts';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import type { ConnectionEntry } from '../protocol/messages.ts';

/** JDBC connections that all workers know, whichever of them saw the first request. */
export interface SharedJdbcConnections extends JdbcConnections {
  /** What the primary has passed on. */
  learn(entries: readonly ConnectionEntry[]): void;
}

/**
 * `share` gets what is new here, once for each turn of the event loop in which something is. Where it throws the
 * others do not learn of these, and of the next ones they do.
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
