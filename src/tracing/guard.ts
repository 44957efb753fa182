import type { InternalErrors } from '../faults/internal-errors.ts';

/** Errors that are reported; more of them, as each request would make, would only fill the log. */
const PAUSE_MS = 10_000;

/** Runs what uses the SDK. An error there costs spans and nothing else, so no request may notice it. */
export type Guard = <T>(step: () => T, otherwise: T) => T;

/** Creates a guard. Errors are reported at most every ten seconds; `onError` hears of each. */
export function createGuard(
  errors: Pick<InternalErrors, 'report'>,
  onError: () => void,
  now: () => number = () => performance.now(),
): Guard {
  let quietUntil = Number.NEGATIVE_INFINITY;
  return (step, otherwise) => {
    try {
      return step();
    } catch (error) {
      onError();
      if (now() >= quietUntil) {
        quietUntil = now() + PAUSE_MS;
        errors.report('tracing', error);
      }
      return otherwise;
    }
  };
}
