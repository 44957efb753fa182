import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RequestOpening } from '../../../src/upstream/request-opening.ts';

test('the first lines are those of this request, whatever was asked before', () => {
  const request = fc.record({
    method: fc.constantFrom('GET', 'POST'),
    target: fc.constantFrom('/', '/druid/v2/sql', '/druid/v2/', `/${'long'.repeat(200)}`),
  });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 12 }), (requests) => {
      const opening = new RequestOpening('broker:8082');
      for (const { method, target } of requests) {
        expect(opening.of(method, target)).toBe(`${method} ${target} HTTP/1.1\r\nHost: broker:8082\r\n`);
      }
    }),
  );
});
