import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UpstreamNode } from '../../../../src/cluster/node.ts';
import { createRunningQueries, type RunningQuery } from '../../../../src/exchange/druid/running-queries.ts';

const NODES = [1, 2, 3].map((port) => new UpstreamNode(`http://127.0.0.1:${port}`));
const id = fc.constantFrom('a', 'b', 'c', null);
const ids = fc.record({ queryId: id, sqlQueryId: id });
const query = fc
  .record({ node: fc.constantFrom(...NODES), given: ids, told: fc.option(ids) })
  .map((facts): RunningQuery => ({ ...facts, place: -1 }));

test('the table knows who runs what, in whichever order queries begin and end', () => {
  fc.assert(
    fc.property(fc.array(query, { maxLength: 20 }), fc.array(fc.nat({ max: 19 })), (queries, steps) => {
      const table = createRunningQueries();
      const under = new Set<RunningQuery>();
      for (const step of steps) {
        const chosen = queries[step];
        if (chosen === undefined) continue;
        if (under.delete(chosen)) {
          table.end(chosen);
          // To end it once more does nothing.
          table.end(chosen);
        } else {
          under.add(chosen);
          table.begin(chosen);
        }
        expect(table.size).toBe(under.size);
        for (const name of ['a', 'b', 'c']) {
          const nodes = [...under]
            .filter(({ given, told }) =>
              [given.queryId, given.sqlQueryId, told?.queryId, told?.sqlQueryId].includes(name),
            )
            .map(({ node }) => node);
          expect(new Set(table.nodesOf(name))).toEqual(new Set(nodes));
        }
      }
    }),
  );
});
