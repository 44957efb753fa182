import type { UpstreamNode } from '../../cluster/node.ts';

/** Where queries run, by their ids, for as long as they do: no larger than what is under way. */
export interface RunningQueries {
  begin(id: string, node: UpstreamNode): void;
  end(id: string, node: UpstreamNode): void;
  /** Several, if several queries were given the same id. */
  nodesOf(id: string): readonly UpstreamNode[];
  readonly size: number;
}

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
      nodes.splice(at, 1);
      if (nodes.length === 0) running.delete(id);
    },
    nodesOf: (id) => [...new Set(running.get(id))],
    get size() {
      return running.size;
    },
  };
}
