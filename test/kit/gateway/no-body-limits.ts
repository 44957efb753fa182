import { type BodyLimits, createBodyLimits } from '../../../src/exchange/limits/body-limits.ts';
import { recordErrors } from './recorded-errors.ts';

/** Bodies may keep what they like, and take as long as they like. */
export function noBodyLimits(): BodyLimits {
  return createBodyLimits({
    maxBytes: 0,
    maxWaitMs: 1_000,
    idleTimeoutMs: 0,
    minRate: 0,
    errors: recordErrors(),
    now: () => performance.now(),
  });
}
