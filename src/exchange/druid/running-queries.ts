import type { UpstreamNode } from '../../cluster/node.ts';

/** The nodes of running queries, by query id. It never holds more than the queries under way. */
export interface RunningQueries {
  begin(id: string, node: UpstreamNode): void;
  end(id: string, node: UpstreamNode): void;
  /** The nodes that run queries with this id; several if several queries have the same id. */
  nodesOf(id: string): readonly UpstreamNode[];
  readonly size: number;
}

/** Creates an empty table. `end` must follow every `begin`, with the same id and node. */
export function createRunningQueries(): RunningQueries {
  const running = new Map<string, UpstreamNode[]>();
  return {
    begin(id, node) {
      const nodes = running.get(id);
      if (nodes === undefined) running.set(id, [node]);
      else nodes.push(node);
    },
    end(id, node) {
      const nodes = running.get(id);
      const at = nodes?.indexOf(node) ?? -1;
      if (nodes === undefined || at === -1) return;
      if (nodes.length === 1) running.delete(id);
      else nodes.splice(at, 1);
    },
    nodesOf: (id) => [...new Set(running.get(id))],
    get size() {
      return running.size;
    },
  };
}
