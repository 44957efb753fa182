import { contain } from '../../faults/internal-errors.ts';
import type { UpstreamNode } from '../node.ts';

/** A Broker that has just come gets at least this part of its share, or it would never warm up. */
const FIRST_SHARE = 0.1;
const STEPS = 20;

/** Slow start: brings nodes from a small share of new queries to their whole one. */
export interface SlowStart {
  begin(node: UpstreamNode): void;
  /** It gets no queries any more, or its whole share at once. */
  end(node: UpstreamNode): void;
  stop(): void;
}

/**
 * `durationMs` 0 gives everybody their whole share at once. `now` is in milliseconds. What a step throws goes to
 * `onError`, and the next one is taken all the same.
 */
export function createSlowStart(
  durationMs: number,
  now: () => number,
  onError: (error: unknown) => void,
): SlowStart {
  const since = new Map<UpstreamNode, number>();
  let timer: NodeJS.Timeout | null = null;

  function step(): void {
    for (const [node, began] of since) {
      node.takeShare(Math.max(FIRST_SHARE, Math.min(1, (now() - began) / durationMs)));
      if (node.share === 1) since.delete(node);
    }
    if (since.size === 0) rest();
  }

  function rest(): void {
    if (timer !== null) clearInterval(timer);
    timer = null;
  }

  return {
    begin(node) {
      if (durationMs === 0) return;
      node.takeShare(FIRST_SHARE);
      since.set(node, now());
      timer ??= setInterval(() => contain(step, onError), durationMs / STEPS);
    },
    end(node) {
      node.takeShare(1);
      since.delete(node);
      if (since.size === 0) rest();
    },
    stop() {
      since.clear();
      rest();
    },
  };
}
