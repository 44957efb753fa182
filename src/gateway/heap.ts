import { setFlagsFromString } from 'node:v8';
import { collectGarbage } from '../http/collector.ts';

/** By then what the start began has ended, in ms. */
const AFTER_START_MS = 1_000;
/** A process that has used more than this share of the time since then is at work, and collects by itself. */
const AT_WORK = 0.2;

/**
 * Has V8 put every new object into the young generation. Call it once, when the process begins to serve.
 *
 * V8 counts for each object literal how many of its objects survive, and allocates those of which most do in the old
 * generation from then on. Under large bodies the young generation is collected while all requests there are under way,
 * so all their literals survive, and V8 never takes back what it concluded: under later, small requests each request
 * goes to the old generation with all that it refers to, which costs a third more CPU, and pauses of 10 ms and more.
 */
export function keepObjectsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}

/**
 * Has V8 optimize code in one step. Call it once, before there is load.
 *
 * Its first optimizing compiler, Maglev, makes code that the second one replaces soon, and what it needs for that stays
 * with the process: 20 MB. The second one alone gives a gateway the same throughput (docs/decisions/0033).
 */
export function optimizeInOneStep(): void {
  setFlagsFromString('--no-maglev');
}

/**
 * Gives back what only the start needed, once a second has passed: a tenth of an idle process, which V8 would keep until
 * there is load. It takes 30 ms, in which nobody is served, and is left out where there is load already. Call it at the
 * end of the start. `afterMs` is for tests.
 */
export function collectAfterStart(afterMs = AFTER_START_MS): void {
  const { eventLoopUtilization } = performance;
  const begun = eventLoopUtilization();
  setTimeout(() => {
    if (eventLoopUtilization(begun).utilization > AT_WORK) return;
    collectGarbage({ type: 'major', flavor: 'last-resort' });
  }, afterMs).unref();
}
