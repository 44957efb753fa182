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
 * How many bytes of bytecode of the functions that it calls V8 may put into an optimized function: of one function, of
 * one that is put in wherever it is called, of all that are not longer than that, and of all. The usual limits are a seventh
 * to a half of these (and 1.2 in place of 2), and a request goes through some hundred functions.
 */
const INLINING = [
  '--max-inlined-bytecode-size=2000',
  '--max-inlined-bytecode-size-small=60',
  '--max-inlined-bytecode-size-cumulative=6000',
  '--max-inlined-bytecode-size-absolute=20000',
  '--reserve-inline-budget-scale-factor=2',
];

/** Has V8 put more of the short functions of a request into one. Call it once, before there is load. */
export function inlineMore(): void {
  for (const flag of INLINING) setFlagsFromString(flag);
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
