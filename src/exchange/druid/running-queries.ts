import type { UpstreamNode } from '../../cluster/node.ts';
import { Crowd, type Member } from '../../collections/crowd.ts';
import type { QueryIds } from '../../routing/query-context.ts';

/** A query at a node, as the table sees it. */
export interface RunningQuery extends Member {
  readonly node: UpstreamNode;
  /** The client's ids of the query. */
  readonly given: QueryIds;
  /** Those in Druid's answer; null until it comes. */
  readonly told: QueryIds | null;
}

/** The queries that are at nodes. It never holds more than those under way. */
export interface RunningQueries {
  /** Precondition: the query is not in the table. */
  begin(query: RunningQuery): void;
  /** Does nothing if the query is not in the table. */
  end(query: RunningQuery): void;
  /** The nodes that run queries with this id; several if several queries have the same id. */
  nodesOf(id: string): readonly UpstreamNode[];
  readonly size: number;
}

/**
 * Creates an empty table. It has no index by id: queries begin and end far more often than one is cancelled, and each of
 * their ids is new, so that to hash it costs more than to look at all queries once in a while.
 */
export function createRunningQueries(): RunningQueries {
  const running = new Crowd<RunningQuery>();
  return {
    begin(query) {
      running.add(query);
    },
    end(query) {
      running.delete(query);
    },
    nodesOf(id) {
      const nodes = new Set<UpstreamNode>();
      for (const { node, given, told } of running) {
        if (isIn(given, id) || (told !== null && isIn(told, id))) nodes.add(node);
      }
      return [...nodes];
    },
    get size() {
      return running.size;
    },
  };
}

function isIn({ queryId, sqlQueryId }: QueryIds, id: string): boolean {
  return queryId === id || sqlQueryId === id;
}
