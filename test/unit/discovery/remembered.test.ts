import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { createOriginRefusal } from '../../../src/discovery/allowed-origins.ts';
import type { DiscoverySnapshot } from '../../../src/discovery/discovery.ts';
import { EMPTY_SNAPSHOT } from '../../../src/discovery/discovery.ts';
import { rememberDiscovery } from '../../../src/discovery/remembered.ts';
import { readSnapshot, writeSnapshot } from '../../../src/discovery/snapshot-file.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { FakeDiscovery } from '../admin/fakes.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-snapshot-'));
afterAll(() => rmSync(folder, { recursive: true }));

let file: string;
let files = 0;
beforeEach(() => {
  file = join(folder, `snapshot-${files++}.json`);
});

const SNAPSHOT: DiscoverySnapshot = {
  version: 7,
  complete: true,
  latches: {
    coordinator: { participants: [{ sequence: 4, origin: 'http://10.0.0.1:8081' }] },
    overlord: { participants: [] },
  },
  announcements: {
    coordinator: [],
    overlord: [],
    broker: [
      {
        role: 'broker',
        hostAndPort: '10.0.0.2:8082',
        origin: 'http://10.0.0.2:8082',
        service: 'druid/broker',
        version: null,
      },
    ],
  },
  readAt: 5_000,
};
const EXPECTED = { cluster: 'zk /druid', errors: recordErrors(), maxAgeMs: 1_000, now: 5_500 };

describe('the file', () => {
  test('holds what was written, and nothing else is left beside it', async () => {
    await writeSnapshot(file, 'zk /druid', SNAPSHOT);
    expect(readSnapshot(file, EXPECTED)).toEqual({ kind: 'snapshot', snapshot: { ...SNAPSHOT, version: 0 } });
    expect(readdirSync(folder).filter((name) => name.includes('.tmp'))).toEqual([]);
  });

  test('that is not there is no fault', () => {
    expect(readSnapshot(file, EXPECTED)).toEqual({ kind: 'absent' });
  });

  test.each<[string, (text: string) => string]>([
    ['its checksum is wrong', (text) => text.replace('10.0.0.2:8082', '10.6.6.6:8082')],
    ['it is no JSON', (text) => text.slice(0, -10)],
    ['it is no JSON', () => ''],
    ['it is no snapshot', () => '{"format":"something else"}'],
    ['it is no snapshot', () => 'null'],
    ['its version is not 1', (text) => text.replace('"version":1', '"version":2')],
  ])('is not used when %s', async (why, spoil) => {
    await writeSnapshot(file, 'zk /druid', SNAPSHOT);
    writeFileSync(file, spoil(readFileSync(file, 'utf8')));
    expect(readSnapshot(file, EXPECTED)).toEqual({ kind: 'unusable', why });
  });

  test.each([
    ['nothing at all', /.*/, 'null'],
    ['a participant that is nothing', '"participants":[]', '"participants":[null]'],
    ['a latch that is nothing', '{"participants":[]}', 'null'],
    ['no latches', /"latches":\{.*?\]\}\}/, '"latches":null'],
    ['an announcement that is nothing', '"broker":[', '"broker":[null,'],
    ['another role', '"role":"broker"', '"role":"historical"'],
    ['a file for a node', 'http://10.0.0.2:8082', 'file:///etc/passwd'],
    ['no origin', '"origin":"http://10.0.0.2:8082",', ''],
    ['a number for a service', '"druid/broker"', '7'],
    ['no time', '"readAt":5000', '"readAt":"soon"'],
    ['a name for an address', '"service":', '"address":"druid.example","service":'],
  ])('is not used when its checksum is right and it has %s', async (_, old, spoiled) => {
    await writeSnapshot(file, 'zk /druid', SNAPSHOT);
    const { content, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
    const text = JSON.stringify(content).replace(old, spoiled);
    expect(text).not.toBe(JSON.stringify(content));
    const sha256 = createHash('sha256').update(text).digest('hex');
    writeFileSync(file, JSON.stringify({ ...rest, sha256, content: JSON.parse(text) }));
    expect(readSnapshot(file, EXPECTED)).toMatchObject({ kind: 'unusable' });
  });

  test('of a hundred thousand levels is not used', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    writeFileSync(file, `{"format":"druid-gateway snapshot","version":1,"content":{"cluster":${deep}}}`);
    expect(readSnapshot(file, EXPECTED).kind).toBe('unusable');
  });

  test('is not used when it is of another cluster, or too old', async () => {
    await writeSnapshot(file, 'zk /druid', SNAPSHOT);
    expect(readSnapshot(file, { ...EXPECTED, cluster: 'zk /other' })).toMatchObject({
      why: 'it is of another cluster',
    });
    expect(readSnapshot(file, { ...EXPECTED, now: 6_001 })).toMatchObject({ why: 'it is too old' });
  });

  test('cut off anywhere is never taken for a snapshot', async () => {
    await writeSnapshot(file, 'zk /druid', SNAPSHOT);
    const text = readFileSync(file, 'utf8');
    for (let length = 0; length < text.trimEnd().length; length++) {
      writeFileSync(file, text.slice(0, length));
      expect(readSnapshot(file, EXPECTED).kind).toBe('unusable');
    }
  });
});

describe('a discovery that remembers', () => {
  function remember(source: FakeDiscovery) {
    return rememberDiscovery({
      source,
      file,
      cluster: 'zk /druid',
      errors: recordErrors(),
      maxAgeMs: 1_000,
      now: () => 5_500,
    });
  }

  test('begins with the file, never as connected, until the source has been read whole', async () => {
    await writeSnapshot(file, 'zk /druid', SNAPSHOT);
    const source = new FakeDiscovery();
    const discovery = remember(source);
    const states: string[] = [];
    let reads = 0;
    discovery.on('status', ({ state }) => states.push(state));
    discovery.on('read', () => reads++);
    discovery.start();
    expect(discovery.snapshot).toMatchObject({ complete: true, readAt: 5_000 });
    source.become({ state: 'connected', since: 1, detail: null });
    expect(discovery.status.state).toBe('connecting');
    source.snapshot = { ...EMPTY_SNAPSHOT, version: 1 };
    source.emit('snapshot', source.snapshot);
    expect(discovery.snapshot.readAt).toBe(5_000);
    source.snapshot = { ...SNAPSHOT, readAt: 5_400 };
    source.emit('snapshot', source.snapshot);
    expect(discovery.snapshot.readAt).toBe(5_400);
    expect(discovery.status.state).toBe('connected');
    expect(states).toEqual(['connecting', 'connected']);
    source.emit('read');
    expect(reads).toBe(1);
    await discovery.close();
    expect(readSnapshot(file, EXPECTED)).toMatchObject({ snapshot: { readAt: 5_400 } });
  });

  test('without a usable file begins with nothing, and says why', async () => {
    writeFileSync(file, 'garbage');
    const source = new FakeDiscovery();
    const discovery = remember(source);
    const faults: string[] = [];
    discovery.on('fault', (fault) => faults.push(fault));
    discovery.start();
    expect(discovery.snapshot.complete).toBe(false);
    expect(faults).toEqual([`the snapshot in ${file} is not used: it is no JSON`]);
    await discovery.close();
  });

  test('that cannot write says so once and goes on', async () => {
    file = join(folder, 'no-such-folder', 'snapshot.json');
    const source = new FakeDiscovery();
    const discovery = remember(source);
    const faults: string[] = [];
    discovery.on('fault', (fault) => faults.push(fault));
    discovery.start();
    source.snapshot = SNAPSHOT;
    source.emit('snapshot', SNAPSHOT);
    await discovery.close();
    expect(faults).toEqual([`the snapshot cannot be written to ${file}: ENOENT`]);
  });
});

describe('the file of somebody else', () => {
  const own = process.getuid?.() ?? 0;

  test('is not used where other users can write to it', async () => {
    await writeSnapshot(file, 'zk /druid', SNAPSHOT);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    for (const [mode, why] of [
      [0o602, 'other users can write to it'],
      [0o666, 'other users can write to it'],
      [0o644, null],
      [0o660, null],
    ] as const) {
      chmodSync(file, mode);
      const read = readSnapshot(file, EXPECTED);
      expect(read.kind === 'unusable' ? read.why : null).toBe(why);
    }
  });

  test.runIf(own === 0)('is not used where it is of another user, or of a group of others', async () => {
    await writeSnapshot(file, 'zk /druid', SNAPSHOT);
    chownSync(file, 12_345, 0);
    expect(readSnapshot(file, EXPECTED)).toMatchObject({ why: 'it is of another user' });
    chownSync(file, 0, 12_345);
    chmodSync(file, 0o660);
    expect(readSnapshot(file, EXPECTED)).toMatchObject({ why: 'other users can write to it' });
  });

  test('is not used where it is a link, a folder, a pipe or too long', async () => {
    const real = `${file}.real`;
    await writeSnapshot(real, 'zk /druid', SNAPSHOT);
    symlinkSync(real, file);
    expect(readSnapshot(file, EXPECTED)).toMatchObject({ why: 'it is a link' });
    expect(readSnapshot(folder, EXPECTED)).toMatchObject({ why: 'it is no file' });
    execFileSync('mkfifo', [`${file}.pipe`]);
    expect(readSnapshot(`${file}.pipe`, EXPECTED)).toMatchObject({ why: 'it is no file' });
    truncateSync(real, 17 * 1024 * 1024);
    expect(readSnapshot(real, EXPECTED)).toMatchObject({ why: 'it is too long' });
  });

  test('that a link leads to is not written to, by the name of the snapshot or of any draft', async () => {
    const victim = `${file}.victim`;
    writeFileSync(victim, 'precious');
    symlinkSync(victim, file);
    // What was its draft once.
    symlinkSync(victim, `${file}.${process.pid}.tmp`);
    await writeSnapshot(file, 'zk /druid', SNAPSHOT);
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(lstatSync(file).isSymbolicLink()).toBe(false);
    expect(readSnapshot(file, EXPECTED).kind).toBe('snapshot');
  });

  test('leaves nothing behind where it cannot be written', async () => {
    const before = readdirSync(folder).length;
    await expect(writeSnapshot(join(folder, 'no-folder', 'x'), 'zk', SNAPSHOT)).rejects.toThrow('ENOENT');
    expect(readdirSync(folder)).toHaveLength(before);
  });

  test('is not used when its time is yet to come, but for clocks that differ a little', async () => {
    await writeSnapshot(file, 'zk /druid', { ...SNAPSHOT, readAt: 5_500 + 61_000 });
    expect(readSnapshot(file, EXPECTED)).toMatchObject({ why: 'its time is yet to come' });
    await writeSnapshot(file, 'zk /druid', { ...SNAPSHOT, readAt: 5_500 + 59_000 });
    expect(readSnapshot(file, EXPECTED).kind).toBe('snapshot');
  });
});

test('of a snapshot what discovery may no longer name is left out', async () => {
  await writeSnapshot(file, 'zk /druid', SNAPSHOT);
  const refusal = createOriginRefusal({ networks: ['10.0.0.1'], names: [], httpsOnly: false });
  const discovery = rememberDiscovery({
    source: new FakeDiscovery(),
    file,
    cluster: 'zk /druid',
    refusal,
    errors: recordErrors(),
    maxAgeMs: 1_000,
    now: () => 5_500,
  });
  discovery.start();
  expect(discovery.snapshot.latches?.coordinator.participants[0]?.origin).toBe('http://10.0.0.1:8081');
  expect(discovery.snapshot.announcements.broker).toEqual([]);
  await discovery.close();
});

test('of a snapshot nodes are judged by where they are reached', async () => {
  const [node] = SNAPSHOT.announcements.broker;
  if (node === undefined) throw new Error('no node');
  const origin = 'http://c0.druid:8081';
  const named = { ...node, origin, hostAndPort: 'c0.druid:8081', role: 'coordinator' } as const;
  const latches = {
    coordinator: { participants: [{ sequence: 4, origin }] },
    overlord: { participants: [{ sequence: 1, origin: 'http://o0.druid:8090' }] },
  };
  const coordinator = [{ ...named, address: '10.1.0.1' }];
  await writeSnapshot(file, 'zk /druid', {
    ...SNAPSHOT,
    latches,
    announcements: { coordinator, overlord: [], broker: [{ ...node, address: '10.6.6.6' }] },
  });
  const discovery = rememberDiscovery({
    source: new FakeDiscovery(),
    file,
    cluster: 'zk /druid',
    refusal: createOriginRefusal({ networks: ['10.1.0.0/16'], names: [], httpsOnly: false }),
    errors: recordErrors(),
    maxAgeMs: 1_000,
    now: () => 5_500,
  });
  discovery.start();
  const { announcements, latches: kept } = discovery.snapshot;
  expect([announcements.coordinator, announcements.broker]).toEqual([coordinator, []]);
  expect([kept?.coordinator.participants[0]?.origin, kept?.overlord.participants[0]?.origin]).toEqual([
    origin,
    null,
  ]);
  await discovery.close();
});
