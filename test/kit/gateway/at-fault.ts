/**
 * Loaded into the program with `--import`: on SIGWINCH it does what `AT_FAULT` says, so that there is a fault which
 * the product does not have.
 */
const { AT_FAULT, AT_FAULT_MS = '0' } = process.env;

function busy(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

/** Says what no worker says, and hears what no primary says. */
function garble(): void {
  const metrics = [{ name: 'druid_gateway_nonsense', type: 'counter', values: 5 }];
  for (const said of [
    null,
    { kind: 'reports' },
    { kind: 'connections', entries: 5 },
    { kind: 'last', metrics },
  ]) {
    process.send?.(said);
  }
  process.emit('message', null, undefined);
  process.emit('message', { kind: 'view', parts: { brokers: 'no JSON' } }, undefined);
}

/** What it is to say next throws, of each kind once. */
function mute(): void {
  const send = process.send as (message: { kind: string }, ...more: unknown[]) => boolean;
  const muted = new Set(['pulse', 'answer', 'reports', 'connections']);
  process.send = ((message: { kind: string }, ...more: unknown[]) => {
    if (muted.delete(message.kind)) throw new Error(`mute on purpose: ${message.kind}`);
    return Reflect.apply(send, process, [message, ...more]);
  }) as NonNullable<typeof process.send>;
}

process.on('SIGWINCH', () => {
  setImmediate(() => {
    if (AT_FAULT === 'throws') throw new Error('at fault on purpose');
    if (AT_FAULT === 'rejects') void Promise.reject(new Error('at fault on purpose'));
    if (AT_FAULT === 'busy') busy(Number(AT_FAULT_MS));
    if (AT_FAULT === 'complains') process.send?.({ kind: 'pulse', internalErrors: 51, stallMs: 0 });
    if (AT_FAULT === 'garbles') garble();
    if (AT_FAULT === 'mute') mute();
    if (AT_FAULT === 'stuck') busy(Number.POSITIVE_INFINITY);
  });
});
