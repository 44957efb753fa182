/**
 * Loaded into the program with `--import`: on SIGWINCH it does what `AT_FAULT` says, so that there is a fault which
 * the product does not have.
 */
const { AT_FAULT, AT_FAULT_MS = '0' } = process.env;

function busy(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

process.on('SIGWINCH', () => {
  setImmediate(() => {
    if (AT_FAULT === 'throws') throw new Error('at fault on purpose');
    if (AT_FAULT === 'rejects') void Promise.reject(new Error('at fault on purpose'));
    if (AT_FAULT === 'busy') busy(Number(AT_FAULT_MS));
    if (AT_FAULT === 'complains') process.send?.({ kind: 'pulse', internalErrors: 51, stallMs: 0 });
    if (AT_FAULT === 'stuck') busy(Number.POSITIVE_INFINITY);
  });
});
