import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Fields } from '../../../../src/discovery/json-fields.ts';
import { microTime, newLease, readLease } from '../../../../src/feeds/kubernetes/lease-record.ts';
import { endpointAddress, planSlice, type WantedEndpoint } from '../../../../src/feeds/kubernetes/slices.ts';
import { faultOf } from '../../../kit/kubernetes/validation.ts';

const identity = { service: 'druid-coordinator', portName: 'http', writer: 'one/1' };

const wanted = fc
  .record({
    ip: fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('::ffff:10.0.0.1', '::FFFF:7f00:1', 'FD00::0:A')),
    port: fc.integer({ min: 1, max: 65_535 }),
    scheme: fc.constantFrom('http' as const, 'https' as const),
  })
  .map(({ ip, ...rest }): WantedEndpoint | null => {
    const taken = endpointAddress(ip);
    return taken === null ? null : { ...taken, ...rest };
  });

test('whatever address a leader has, the slice is one that Kubernetes takes, and is right afterwards', () => {
  fc.assert(
    fc.property(wanted, wanted, (first, second) => {
      let stored: Fields | null = null;
      const type = first?.type ?? 'IPv4';
      for (const next of [first, second?.type === type ? second : null]) {
        const change = planSlice(stored, type, next, identity);
        if (change === null) continue;
        expect(faultOf('endpointslices', change.object, stored)).toBeNull();
        stored = change.object;
        expect(planSlice(stored, type, next, identity)).toBeNull();
      }
    }),
  );
});

test('addresses are in the form that Kubernetes takes; those of no use to others are none', () => {
  expect(endpointAddress('10.0.0.1')).toEqual({ type: 'IPv4', address: '10.0.0.1' });
  expect(endpointAddress('FD00:0:0::0:A')).toEqual({ type: 'IPv6', address: 'fd00::a' });
  expect(endpointAddress('::ffff:10.0.0.1')).toEqual({ type: 'IPv4', address: '10.0.0.1' });
  const none = ['127.0.0.1', '0.0.0.0', '169.254.1.1', '224.0.0.5', '::', '::1', 'fe80::1', 'ff02::1'];
  for (const ip of [...none, 'fe80::1%eth0', '::ffff:127.0.0.1', 'm1', '']) {
    expect(endpointAddress(ip), ip).toBeNull();
  }
});

test('what the server leaves out, or has added, is no difference', () => {
  const endpoint = { type: 'IPv4', address: '10.0.0.1', port: 8081, scheme: 'http' } as const;
  const object = planSlice(null, 'IPv4', endpoint, { ...identity, portName: '' })?.object as Fields;
  const shown = {
    ...object,
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true }, nodeName: 'n1' }],
    ports: [{ port: 8081, protocol: 'TCP', appProtocol: 'http' }],
  };
  expect(planSlice(shown, 'IPv4', endpoint, { ...identity, portName: '' })).toBeNull();
  const empty = { ...object, endpoints: null, ports: null };
  expect(planSlice(empty, 'IPv4', null, identity)).toBeNull();
  expect(planSlice(null, 'IPv4', null, identity)).toBeNull();
  // Another holder writes its own once, whatever is there.
  expect(planSlice(shown, 'IPv4', endpoint, { ...identity, portName: '', writer: 'two/2' })?.kind).toBe(
    'update',
  );
  expect(() => planSlice(shown, 'IPv6', null, identity)).toThrow('has another addressType');
});

test('a Lease of nonsense is held by nobody, and what is written is one that Kubernetes takes', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (lease, spec) => {
      const { transitions, leaseMs } = readLease({ ...lease, spec } as Fields);
      expect(Number.isSafeInteger(transitions)).toBe(true);
      expect(leaseMs === null || leaseMs > 0).toBe(true);
    }),
  );
  const now = Date.UTC(2026, 10, 26);
  const lease = newLease('l', {
    holder: 'a',
    leaseMs: 1_500,
    transitions: 0,
    acquireTime: microTime(now),
    renewedAt: now,
  });
  expect(faultOf('leases', lease, null)).toBeNull();
  expect(readLease(lease)).toMatchObject({
    holder: 'a',
    leaseMs: 2_000,
    acquireTime: '2026-11-26T00:00:00.000000Z',
  });
});
