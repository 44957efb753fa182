import { expect, test } from 'vitest';
import { numberPrinted, YOUNG_ONLY } from '../../kit/heap-program.ts';

const MODULE = new URL('../../../src/doors/last-word.ts', import.meta.url);

/** Prints how many bytes are left of 30,000 requests and answers by a collection of the young generation. */
const PROGRAM = `
  import { knowResponse, knowWhole } from '${MODULE}';
  function serve() {
    const request = { body: new Array(100).fill(0) };
    const response = { req: request };
    knowResponse(request, response);
    knowWhole(response, () => response.end());
  }
  for (let i = 0; i < 2_000; i++) serve();
  // All there is becomes old.
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 30_000; i++) serve();
  gc({ type: 'minor' });
  console.log(process.memoryUsage().heapUsed - before);
`;

test('what is known of a request does not outlive it', () => {
  expect(numberPrinted(PROGRAM, YOUNG_ONLY)).toBeLessThan(8e6);
});
