/**
 * Exit code of a process that was ended by an error of its own outside any request: EX_SOFTWARE of sysexits(3), so
 * that whoever runs it can tell it from one that could not start (1).
 */
export const EXIT_INTERNAL_ERROR = 70;

/**
 * Calls `handle` for the first error that nothing has caught, and ends the process at once for another one: after the
 * first nobody knows what state it is in. `handle` must see to it that the process ends.
 */
export function onProcessError(handle: (error: unknown) => void): void {
  let handled = false;
  const take = (error: unknown): void => {
    if (handled) process.exit(EXIT_INTERNAL_ERROR);
    handled = true;
    handle(error);
  };
  process.on('uncaughtException', take);
  process.on('unhandledRejection', take);
}

/** What close-with-grace leaves to `onProcessError`. */
export const PROCESS_ERRORS: ('uncaughtException' | 'unhandledRejection')[] = [
  'uncaughtException',
  'unhandledRejection',
];
