import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UpstreamNode } from '../../../src/cluster/node.ts';

test('a node counts what began and has not ended, and never less than nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean()), (begins) => {
      const node = new UpstreamNode('http://10.0.0.1:8082');
      let under = 0;
      for (const begin of begins) {
        if (begin) {
          node.begin();
          under++;
        } else if (under > 0) {
          node.end();
          under--;
        } else expect(() => node.end()).toThrow('a request at 10.0.0.1:8082 ended that had not begun');
        expect(node.outstanding).toBe(under);
      }
    }),
  );
});

test('what other processes count replaces the count, and is never less than nothing', () => {
  const node = new UpstreamNode('https://[fd00::4]:8281');
  expect([node.hostAndPort, node.outstanding, node.share]).toEqual(['[fd00::4]:8281', 0, 1]);
  node.recount(7);
  node.recount(2);
  expect(node.outstanding).toBe(2);
  node.recount(-1);
  expect(node.outstanding).toBe(0);
});

test('a share is above 0 and at most 1, and any other leaves it as it was', () => {
  fc.assert(
    fc.property(fc.double(), fc.double({ min: 0.01, max: 1, noNaN: true }), (share, before) => {
      const node = new UpstreamNode('http://10.0.0.1:8082');
      node.takeShare(before);
      const fits = share > 0 && share <= 1;
      if (fits) node.takeShare(share);
      else expect(() => node.takeShare(share)).toThrow(RangeError);
      expect(node.share).toBe(fits ? share : before);
    }),
  );
});
