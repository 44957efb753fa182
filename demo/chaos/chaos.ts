import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from '../../tools/druid-cluster/artifacts.ts';
import { type BooksOptions, readBooks } from './books.ts';
import { type Books, judge, type Row, type Window } from './ledger.ts';
import { type Load, type Pace, startLoad, type Truth } from './load.ts';
import type { Scene } from './scene.ts';
import type { Broken, Step } from './steps.ts';

export interface ChaosOptions {
  readonly scene: Scene;
  /** URL of the gateway. */
  readonly url: string;
  readonly truth: Truth;
  readonly steps: readonly Step[];
  readonly pace?: Pace;
  /** Breaks until so many seconds have passed, over and over; without it, each step once. */
  readonly seconds?: number;
  /** How long a thing stays broken after the cluster has dealt with it. */
  readonly holdMs: number;
  /** How the books are read at the end. */
  readonly books?: Omit<BooksOptions, 'signal'>;
  /** Breaks nothing more; what is broken is mended, and everything is checked. */
  readonly stop: AbortSignal;
  /** Does not check either. */
  readonly abandon: AbortSignal;
  readonly report: Report;
}

/** What a chaos run came to. */
export interface Outcome {
  readonly rows: readonly Row[];
  /** Whether Druid's books were read: without them nobody knows what is lost or doubled. */
  readonly checked: boolean;
  /** Why it ended early, if it did. */
  readonly trouble: string | null;
}

const SUCCESS_MS = 120_000;
/** The first row: what it is like without any of this. */
export const NOTHING = 'nothing';

/** Breaks one thing after the other under load and mends it, and then looks what became of every request. */
export async function runChaos(options: ChaosOptions): Promise<Outcome> {
  const { scene, url, truth, abandon, report } = options;
  await scene.whole();
  const from = performance.now();
  const load = startLoad(url, truth, options.pace);
  const windows: Window[] = [];
  let trouble: string | null = null;
  try {
    try {
      await load.succeeded(SUCCESS_MS, abandon);
    } finally {
      windows.push({ what: NOTHING, from, to: performance.now() });
    }
    await breakAll(options, load, windows);
  } catch (error) {
    trouble = abandon.aborted ? null : messageOf(error);
  }
  // From here on nothing more is sent; what was sent may still wait for its answer.
  const answered = load.stop();
  let books: Books | null = null;
  if (!abandon.aborted) {
    report('reading the books of Coordinator and Overlord, and counting rows');
    try {
      await orAbandoned(answered, abandon);
      books = await readBooks(url, load.entries, load.tasks, { ...options.books, signal: abandon });
    } catch (error) {
      trouble ??= abandon.aborted ? null : messageOf(error);
    }
  }
  return { rows: judge(load.entries, windows, books), checked: books !== null, trouble };
}

async function breakAll(options: ChaosOptions, load: Load, windows: Window[]): Promise<void> {
  const { steps, seconds, stop } = options;
  const end = seconds === undefined ? null : performance.now() + seconds * 1_000;
  for (let i = 0; !stop.aborted; i++) {
    if (end === null ? i >= steps.length : performance.now() >= end) return;
    const step = steps[i % steps.length];
    if (step === undefined) return;
    await breakOne(options, step, load, windows);
  }
}

async function breakOne(options: ChaosOptions, step: Step, load: Load, windows: Window[]): Promise<void> {
  const { scene, abandon, report } = options;
  const from = performance.now();
  let what = step.name;
  try {
    const broken = await step.breakIt(scene);
    what = broken.what;
    report(`  ${what}`);
    await endure(options, broken);
    await scene.whole();
    await load.succeeded(SUCCESS_MS, abandon);
  } finally {
    // Also a step that went wrong has a row, with what its requests met.
    windows.push({ what, from, to: performance.now() });
  }
}

/** Waits for the cluster to deal with it, and mends it in any case: the rest can be checked only then. */
async function endure({ holdMs, stop, abandon }: ChaosOptions, broken: Broken): Promise<void> {
  try {
    await broken.dealtWith();
    await sleep(holdMs, undefined, { signal: stop }).catch(() => {});
  } finally {
    if (!abandon.aborted) await broken.mend();
  }
}

function orAbandoned(work: Promise<void>, abandon: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    abandon.throwIfAborted();
    abandon.addEventListener('abort', () => reject(abandon.reason), { once: true });
    work.then(resolve, reject);
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
