import type { Logger } from 'pino';
import type { OnBatch, SpanCounts } from './export-queue.ts';

/** A receiver that is down fails each batch; one line a minute says so. */
const PAUSE_MS = 60_000;

/** Logs when spans cannot be exported, at most once a minute, and when they can be again. */
export function tellOfExports(
  logger: Pick<Logger, 'warn' | 'info'>,
  counts: () => SpanCounts,
  now: () => number = () => performance.now(),
): OnBatch {
  let failing = false;
  let quietUntil = Number.NEGATIVE_INFINITY;
  const dropped = (): number => Object.values(counts().dropped).reduce((sum, each) => sum + each, 0);
  return (failure) => {
    if (failure === null) {
      if (failing) logger.info({ dropped: dropped() }, 'spans are exported again');
      failing = false;
      return;
    }
    // A receiver that takes every other batch is not told of twice a batch.
    if (now() < quietUntil) return;
    failing = true;
    quietUntil = now() + PAUSE_MS;
    logger.warn({ why: failure, dropped: dropped() }, 'spans cannot be exported; requests are not affected');
  };
}
