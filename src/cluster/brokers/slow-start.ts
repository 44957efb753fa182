import { contain } from '../../faults/internal-errors.ts';
import type { UpstreamNode } from '../node.ts';

/** The initial share of a new Broker. With less it would never warm up. */
const FIRST_SHARE = 0.1;
const STEPS = 20;

/** Slow start: raises nodes from a small share of new queries to their full share. */
export interface SlowStart {
  begin(node: UpstreamNode): void;
  /** Ends slow start because the node gets no more queries, or its full share at once. */
  end(node: UpstreamNode): void;
  stop(): void;
}

/**
 * With `durationMs` 0 every node gets its full share at once. `now` is in milliseconds. Errors of a step go to
 * `onError`; the next step still runs.
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
