import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createJdbcConnections } from '../../../../src/exchange/druid/jdbc-connections.ts';
import { bytesLeft } from '../../../kit/heap-program.ts';

const MODULE = new URL('../../../../src/exchange/druid/jdbc-connections.ts', import.meta.url);

describe('the table of JDBC connections', () => {
  it('knows the connections used last, and never more than it may', () => {
    const steps = fc.array(fc.tuple(fc.nat(20), fc.constantFrom('a:1', 'b:2')), { maxLength: 100 });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), steps, (capacity, uses) => {
        const connections = createJdbcConnections(capacity);
        /** The last connection used comes last. */
        const model = new Map<string, string>();
        for (const [number, broker] of uses) {
          const id = `c${number}`;
          connections.remember(id, broker);
          model.delete(id);
          model.set(id, broker);
          const lastUsed = [...model].slice(-Math.floor(capacity / 2));
          for (const [one, at] of lastUsed) expect(connections.brokerOf(one)).toBe(at);
          const entries = [...connections.entries()];
          expect(entries.length).toBeLessThanOrEqual(capacity);
          expect(connections.size).toBe(entries.length);
          expect(new Map(entries).size).toBe(entries.length);
          for (const [one, at] of entries) {
            expect(model.get(one)).toBe(at);
            expect(connections.brokerOf(one)).toBe(at);
          }
        }
      }),
    );
  });

  it('is passed on to another table with what was used last', () => {
    const connections = createJdbcConnections(10);
    for (let i = 0; i < 14; i++) connections.remember(`c${i}`, 'a:1');
    const other = createJdbcConnections(10);
    for (const [id, broker] of connections.entries()) other.remember(id, broker);
    for (let i = 9; i < 14; i++) expect(other.brokerOf(`c${i}`)).toBe('a:1');
  });

  it('leaves nothing behind, however often connections are used', () => {
    const left = bytesLeft(
      `
        import { createJdbcConnections } from '${MODULE}';
        const connections = createJdbcConnections(100_000);
      `,
      "for (let i = 0; i < 1e6; i++) connections.remember('connection ' + (i % 64), 'broker:8082');",
    );
    expect(left).toBeLessThan(1e6);
  });
});
