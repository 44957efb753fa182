import type { UpstreamNode } from '../../cluster/node.ts';
import type { QueryIds } from '../../routing/query-context.ts';

/** A query at a node, as the table sees it. */
export interface RunningQuery {
  readonly node: UpstreamNode;
  /** The client's ids of the query. */
  readonly given: QueryIds;
  /** Those in Druid's answer; null until it comes. */
  readonly told: QueryIds | null;
  /** Its place in the table, which only the table changes; -1 outside. */
  place: number;
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
  const running: RunningQuery[] = [];
  return {
    begin(query) {
      query.place = running.push(query) - 1;
    },
    end(query) {
      const { place } = query;
      if (place === -1) return;
      query.place = -1;
      const last = running.pop();
      if (last === undefined || last === query) return;
      running[place] = last;
      last.place = place;
    },
    nodesOf(id) {
      const nodes = new Set<UpstreamNode>();
      for (const { node, given, told } of running) {
        if (isIn(given, id) || (told !== null && isIn(told, id))) nodes.add(node);
      }
      return [...nodes];
    },
    get size() {
      return running.length;
    },
  };
}

function isIn({ queryId, sqlQueryId }: QueryIds, id: string): boolean {
  return queryId === id || sqlQueryId === id;
}
