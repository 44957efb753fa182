import type { Logger } from 'pino';

/** What a process ends with that a fault of its own ended: `EX_SOFTWARE` of sysexits.h. */
export const FAULT_CODE = 70;

/**
 * What nobody caught goes to `end`, once: what else goes wrong before the process has ended comes of the same. `end`
 * ends the process soon, since nothing of it can be trusted any more; where it throws that is at once.
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
  // By default it comes as an exception; `--unhandled-rejections` can say otherwise.
  process.on('unhandledRejection', take);
}

/** Never throws. */
export function logFault(logger: Logger, error: unknown, fields: object = {}): void {
  try {
    logger.fatal({ err: error, ...fields }, 'a fault of the gateway itself');
  } catch {
    // Whatever was thrown cannot even be looked at.
  }
}
