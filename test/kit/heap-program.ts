import { execFileSync } from 'node:child_process';

/** V8 as the gateway runs it, and with a garbage collector that can be asked. */
const FLAGS = ['--expose-gc', '--max-semi-space-size=8', '--v8-pool-size=1', '--input-type=module'];
/** No collection but of the young generation, until it is asked for. */
export const YOUNG_ONLY = '--initial-old-space-size=512';

/** Runs a module's text in a process of its own, with further flags for V8, and returns the number that it prints. */
export function numberPrinted(program: string, ...flags: readonly string[]): number {
  const args = [...FLAGS, ...flags, '-e', program];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}
