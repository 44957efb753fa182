import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const MODULE = new URL('../../../src/gateway/young-objects.ts', import.meta.url);

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

/** V8 as the gateway runs it, but for code that is compiled at once: the result is always the same. */
const FLAGS = ['--expose-gc', '--max-semi-space-size=8', '--no-concurrent-recompilation'];

function growth(prelude: string): number {
  return Number(
    execFileSync(process.execPath, [...FLAGS, '--input-type=module', '-e', prelude + PROGRAM], {
      encoding: 'utf8',
    }),
  );
}

describe('keepObjectsYoung', () => {
  it('leaves short-lived objects in the young generation, also where all of their kind once survived', () => {
    expect(growth('')).toBeGreaterThan(4e6);
    expect(growth(`import { keepObjectsYoung } from '${MODULE}'; keepObjectsYoung();`)).toBeLessThan(1e6);
  });
});
