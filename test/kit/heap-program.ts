import { execFileSync } from 'node:child_process';

/** V8 as the gateway runs it, and with a garbage collector that can be asked. */
const FLAGS = ['--expose-gc', '--max-semi-space-size=8', '--v8-pool-size=1', '--input-type=module'];
/** No collection but of the young generation, until it is asked for. */
const YOUNG_ONLY = '--initial-old-space-size=512';

/** Runs a module's text in a process of its own, with further flags for V8, and returns the number that it prints. */
export function numberPrinted(program: string, ...flags: readonly string[]): number {
  const args = [...FLAGS, ...flags, '-e', program];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

/**
 * Returns how many bytes a piece of a module's text leaves behind, by collections of the young generation, when it runs for
 * the second time. `setUp` runs before.
 */
export function bytesLeft(setUp: string, work: string): number {
  return numberPrinted(
    `
      ${setUp}
      const work = () => { ${work} };
      work();
      // All there is becomes old.
      gc();
      const before = process.memoryUsage().heapUsed;
      work();
      gc({ type: 'minor' });
      gc({ type: 'minor' });
      console.log(process.memoryUsage().heapUsed - before);
    `,
    YOUNG_ONLY,
  );
}
