import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseLeaderRecord } from '../../../../src/discovery/kubernetes/leader-record.ts';
import { createLease, latchOf } from '../../../../src/discovery/kubernetes/lease.ts';
import { createLines } from '../../../../src/discovery/kubernetes/lines.ts';
import { parsePod } from '../../../../src/discovery/kubernetes/pod.ts';
import { podOf } from '../../../kit/kubernetes/druid-pods.ts';

const LEADER = 'control-plane.alpha.kubernetes.io/leader';

function configMap(record: object | string, uid = 'u1'): object {
  const text = typeof record === 'string' ? record : JSON.stringify(record);
  return { metadata: { name: 'druid-leaderelection-coordinator', uid, annotations: { [LEADER]: text } } };
}

const RECORD = {
  holderIdentity: 'http://c1:8081',
  leaseDurationSeconds: 60,
  acquireTime: '2026-11-26T12:00:00.000000Z',
  renewTime: '2026-11-26T12:00:00.000000Z',
  leaderTransitions: 3,
};

const read = (record: object | string, uid?: string) => parseLeaderRecord(configMap(record, uid));

test('a record names its holder, its lease and its term', () => {
  expect(read(RECORD)?.record).toEqual({ origin: 'http://c1:8081', leaseMs: 60_000, transitions: 3 });
});

test.each<[string, object | string]>([
  ['no JSON', '{"holderIdentity":'],
  ['a list', '[]'],
  ['a text', '"http://c1:8081"'],
  ['too long', JSON.stringify({ ...RECORD, more: 'x'.repeat(5_000) })],
])('a record that is %s is a fault, and nobody leads', (_, record) => {
  expect(read(record)).toMatchObject({ record: null, fault: 'holds no leader record' });
});

test.each<[string, unknown]>([
  ['null', null],
  ['empty', ''],
  ['absent', undefined],
])('a holder that is %s is nobody, and no fault', (_, holderIdentity) => {
  expect(read({ ...RECORD, holderIdentity })).toMatchObject({ record: null, fault: null });
});

test.each(['c1', 'file:///etc/passwd', 'http://c1:8081/path', 7, {}])(
  'a holder %j leads without a name',
  (holder) => {
    const parsed = read({ ...RECORD, holderIdentity: holder });
    expect(parsed).toMatchObject({
      record: { origin: null, transitions: 3 },
      fault: 'names no node by a URL',
    });
    expect(latchOf(parsed?.record ?? null, () => true).participants).toEqual([{ sequence: 3, origin: null }]);
  },
);

test('lengths and terms that cannot be are replaced', () => {
  const odd = { ...RECORD, leaseDurationSeconds: -5, leaderTransitions: 'many' };
  expect(read(odd)?.record).toMatchObject({ leaseMs: 60_000, transitions: -1 });
});

test('a record holds for its lease from when it was seen to change, whatever times are in it', () => {
  const lease = createLease();
  lease.observe(read(RECORD), 1_000);
  expect(lease.holder(60_999)).toMatchObject({ origin: 'http://c1:8081' });
  // Read again without a change: the time runs on.
  lease.observe(read(RECORD), 50_000);
  expect(lease.holdsMs(50_000)).toBe(11_000);
  expect(lease.holder(61_000)).toBe(null);
  lease.observe(read({ ...RECORD, renewTime: '1970-01-01T00:00:00.000000Z' }), 61_500);
  expect(lease.holder(121_499)).toMatchObject({ transitions: 3 });
  expect(lease.holder(121_500)).toBe(null);
});

test('a ConfigMap that is made anew is another election, and one that is removed has no leader', () => {
  const lease = createLease();
  expect(lease.observe(read(RECORD), 0)).toBe(false);
  expect(lease.observe(null, 1)).toBe(false);
  expect(lease.holder(1)).toBe(null);
  expect(lease.observe(read(RECORD, 'u2'), 2)).toBe(true);
  expect(lease.holder(2)).toMatchObject({ transitions: 3 });
});

test('whatever the API sends, it is parsed without an error', () => {
  fc.assert(
    fc.property(
      fc.object({
        key: fc.constantFrom('metadata', 'name', 'labels', 'annotations', 'status', 'uid', LEADER),
      }),
      (object) => {
        parsePod(object);
        parseLeaderRecord(object);
      },
    ),
  );
});

test('a pod counts when all of its containers are ready, and not before they have a state', () => {
  const pod = (ready: readonly boolean[]) =>
    parsePod(podOf('b', { roles: ['broker'], host: 'b', port: 8082, ready }))?.ready;
  expect([pod([true]), pod([true, true]), pod([true, false]), pod([])]).toEqual([true, true, false, false]);
});

test('a pod of two roles announces both, and a role without its label does not count', () => {
  const pod = podOf('c', { roles: ['coordinator', 'overlord'], host: 'c', port: 8081 });
  expect(Object.keys(parsePod(pod)?.announced ?? {}).toSorted()).toEqual(['coordinator', 'overlord']);
  const labels = { ...pod.metadata.labels, 'druidDiscoveryAnnouncement-overlord': 'false' };
  const withdrawn = { ...pod, metadata: { ...pod.metadata, labels } };
  expect(Object.keys(parsePod(withdrawn)?.announced ?? {})).toEqual(['coordinator']);
});

test('lines are the same however the stream is cut, and one that is too long ends it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll('\n', ' '))),
      fc.integer({ min: 1, max: 9 }),
      (texts, size) => {
        const whole = Buffer.from(texts.map((text) => `${text}\n`).join(''));
        const lines = createLines(1_000);
        const found: string[] = [];
        for (let at = 0; at < whole.length; at += size) {
          for (const line of lines.push(whole.subarray(at, at + size)) ?? []) found.push(line.toString());
        }
        expect(found).toEqual(texts);
      },
    ),
  );
  const lines = createLines(10);
  expect(lines.push(Buffer.from('0123456789\n01234'))).toHaveLength(1);
  expect(lines.push(Buffer.from('567890'))).toBe(null);
});
