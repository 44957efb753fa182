import { expect, test } from 'vitest';
import { bytesLeft } from '../../kit/heap-program.ts';

const MODULE = new URL('../../../src/doors/last-word.ts', import.meta.url);

const SET_UP = `
  import { knowResponse, knowWhole } from '${MODULE}';
  function serve() {
    const request = { body: new Array(100).fill(0) };
    const response = { req: request };
    knowResponse(request, response);
    knowWhole(response, () => response.end());
  }
`;

test('what is known of a request does not outlive it', () => {
  expect(bytesLeft(SET_UP, 'for (let i = 0; i < 30_000; i++) serve();')).toBeLessThan(8e6);
});
