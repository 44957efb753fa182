import { expect, test } from 'vitest';
import { HOT_SERVICE, jdbcBodies, tierBodies } from '../../../bench/bodies.ts';
import { takes, WORKLOADS, type Workload } from '../../../bench/workloads.ts';
import { connectionIdOf } from '../../../src/routing/jdbc/connection-id.ts';

const workload = (name: string): Workload => {
  const found = WORKLOADS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
};

test.each(['json', 'protobuf'] as const)(
  'each JDBC request in %s has a connection that the gateway reads',
  (format) => {
    const { target, bodies } = workload(format === 'json' ? 'jdbc' : 'jdbcproto');
    expect(bodies).toEqual(jdbcBodies(format));
    const ids = new Set(bodies?.map((body) => connectionIdOf(target, body, null)));
    expect(ids).not.toContain(null);
    expect(ids.size).toBe(64);
  },
);

test('the two queries of tiers are as long as that of sql, and one of them names a tier', () => {
  const bodies = tierBodies(workload('sql').bodyBytes);
  expect(bodies.map((body) => body.length)).toEqual([200, 200]);
  expect(bodies.map((body) => (JSON.parse(body.toString()) as { context: object }).context)).toEqual([
    { brokerService: HOT_SERVICE, filling: expect.any(String) },
    { filling: expect.any(String) },
  ]);
});

test('a workload is for the peers of its setup, for the gateway alone where it says so, and not for those it names', () => {
  const peer = { name: 'nginx', setups: ['relay'], gateway: false } as const;
  expect(takes(peer, workload('sql'))).toBe(true);
  expect(takes(peer, workload('tls'))).toBe(false);
  expect(takes(peer, workload('jdbc'))).toBe(false);
  expect(takes({ ...peer, gateway: true }, workload('jdbc'))).toBe(true);
  expect(takes({ ...peer, name: 'front' }, workload('rate20k'))).toBe(false);
  expect(takes({ ...peer, workloads: ['big'] }, workload('sql'))).toBe(false);
});
