import type { Logger } from 'pino';
import { sourceStack } from './source-stack.ts';

/** Exit code of a process ended by its own fault: `EX_SOFTWARE` of sysexits.h. */
export const FAULT_CODE = 70;

/**
 * Passes the first uncaught error to `end`; later ones are ignored as its consequences. `end` must end the process
 * soon, because its state can no longer be trusted. If `end` throws, the process exits at once.
 */
export function onFault(end: (error: unknown) => void): void {
  let begun = false;
  const take = (error: unknown): void => {
    if (begun) return;
    begun = true;
    try {
      end(error);
    } catch {
      process.exit(FAULT_CODE);
    }
  };
  process.on('uncaughtException', take);
  // By default this arrives as an exception, but `--unhandled-rejections` can change that.
  process.on('unhandledRejection', take);
}

/** Logs the fault. Never throws. */
export function logFault(logger: Logger, error: unknown, fields: object = {}): void {
  try {
    if (error instanceof Error && error.stack !== undefined) error.stack = sourceStack(error.stack);
    logger.fatal({ err: error, ...fields }, 'a fault of the gateway itself');
  } catch {
    // The error cannot even be inspected.
  }
}
