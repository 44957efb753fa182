import { describe, expect, it } from 'vitest';
import { numberPrinted } from '../../kit/heap-program.ts';

const MODULE = new URL('../../../src/gateway/heap.ts', import.meta.url);

/** Prints by how many bytes the old generation has grown under 100,000 objects of which 64 are in use at a time. */
const PROGRAM = `
  import { getHeapSpaceStatistics } from 'node:v8';
  const oldBytes = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space').space_used_size;
  const running = new Array(64).fill(null);
  const kept = [];
  function request(id) { return { id, fields: { close: false, length: id } }; }
  function serve(requests, keeps) {
    for (let i = 0; i < requests; i++) {
      running[i % 64] = request(i);
      if (keeps) kept.push(running[i % 64]);
    }
  }
  // All survive one collection after the other, as requests do while bodies are read.
  for (let i = 0; i < 100; i++) {
    serve(1_000, true);
    gc({ type: 'minor' });
  }
  const before = oldBytes();
  serve(100_000, false);
  console.log(oldBytes() - before);
`;

/** Code is compiled at once, so the result is always the same. */
function printed(program: string, ...flags: readonly string[]): number {
  return numberPrinted(program, '--no-concurrent-recompilation', ...flags);
}

/** Prints how often the whole heap is collected after a start that leaves too little for V8 to do so by itself. */
function collections(isAtWork: boolean): number {
  return printed(`
    import { constants, PerformanceObserver } from 'node:perf_hooks';
    import { collectAfterStart } from '${MODULE}';
    let majors = 0;
    new PerformanceObserver((list) => {
      for (const { detail } of list.getEntries()) {
        if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) majors++;
      }
    }).observe({ entryTypes: ['gc'] });
    collectAfterStart(100);
    const work = setInterval(() => {
      for (const end = performance.now() + 20; ${isAtWork} && performance.now() < end; );
    }, 20);
    setTimeout(() => {
      clearInterval(work);
      console.log(majors);
    }, 500);
  `);
}

describe('keepObjectsYoung', () => {
  it('leaves short-lived objects in the young generation, also where all of their kind once survived', () => {
    expect(printed(PROGRAM)).toBeGreaterThan(4e6);
    expect(
      printed(`import { keepObjectsYoung } from '${MODULE}'; keepObjectsYoung(); ${PROGRAM}`),
    ).toBeLessThan(1e6);
  });
});

/** Prints how often a function that is called often is seen in code of V8's first optimizing compiler. */
const TIERS = `
  function sum(list) {
    let all = 0;
    for (const one of list) all += one;
    return all;
  }
  let seen = 0;
  for (let i = 0; i < 200_000; i++) {
    sum([i, i, i]);
    if (%ActiveTierIsMaglev(sum)) seen++;
  }
  console.log(seen);
`;

describe('optimizeInOneStep', () => {
  it('leaves out the first optimizing compiler', () => {
    const seen = (program: string): number => printed(program, '--allow-natives-syntax');
    expect(seen(TIERS)).toBeGreaterThan(0);
    expect(seen(`import { optimizeInOneStep } from '${MODULE}'; optimizeInOneStep(); ${TIERS}`)).toBe(0);
  });
});

describe('collectAfterStart', () => {
  it('has the whole heap collected once the start is over', () => {
    expect(collections(false)).toBeGreaterThan(0);
  });

  it('does not stop a process that is at work', () => {
    expect(collections(true)).toBe(0);
  });
});
