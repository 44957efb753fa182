import { UpstreamNode } from './node.ts';

/** All node objects, one per origin. Counters survive when a node leaves discovery and comes back. */
export interface Nodes {
  /** The node at `origin` (`http://host:port`), created if it is new. */
  at(origin: string): UpstreamNode;
  get(origin: string): UpstreamNode | undefined;
  /** Drops nodes that are not in `known` and have no request under way. */
  retain(known: { has(origin: string): boolean }): void;
}

/** Creates an empty table of nodes. */
export function createNodes(): Nodes {
  const nodes = new Map<string, UpstreamNode>();
  return {
    at(origin) {
      const existing = nodes.get(origin);
      if (existing !== undefined) return existing;
      const node = new UpstreamNode(origin);
      nodes.set(origin, node);
      return node;
    },
    get: (origin) => nodes.get(origin),
    retain(known) {
      for (const [origin, node] of nodes) {
        if (!known.has(origin) && node.outstanding === 0) nodes.delete(origin);
      }
    },
  };
}
