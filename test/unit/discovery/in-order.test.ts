import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DiscoverySnapshot, SourceState } from '../../../src/discovery/discovery.ts';
import { EMPTY_SNAPSHOT } from '../../../src/discovery/discovery.ts';
import { believed, createDiscoveryInOrder } from '../../../src/discovery/in-order.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { FakeDiscovery } from '../admin/fakes.ts';

const STATES: readonly SourceState[] = ['connecting', 'connected', 'suspended', 'lost', 'closed'];

function snapshotOf(host: string): DiscoverySnapshot {
  const origin = `http://${host}:8082`;
  const hostAndPort = `${host}:8082`;
  return {
    ...EMPTY_SNAPSHOT,
    complete: true,
    readAt: 1,
    announcements: {
      coordinator: [],
      overlord: [],
      broker: [{ role: 'broker', origin, hostAndPort, service: 'druid/broker', version: null }],
    },
  };
}

function begin() {
  const [first, second] = [new FakeDiscovery(), new FakeDiscovery()];
  first.status = { state: 'connecting', since: 0, detail: null };
  second.status = { state: 'connecting', since: 0, detail: null };
  const both = createDiscoveryInOrder([first, second], recordErrors());
  const versions: number[] = [];
  const faults: string[] = [];
  both.on('snapshot', ({ version }) => versions.push(version));
  both.on('fault', (fault) => faults.push(fault));
  const say = (source: FakeDiscovery, host: string): void => {
    source.snapshot = snapshotOf(host);
    source.emit('snapshot', source.snapshot);
  };
  const turn = (source: FakeDiscovery, state: SourceState, detail: string | null = null): void =>
    source.become({ state, since: 0, detail });
  const hosts = (): string[] => both.snapshot.announcements.broker.map(({ hostAndPort }) => hostAndPort);
  return { first, second, both, versions, faults, say, turn, hosts };
}

test('the first that is in touch is believed; one that was a moment ago is kept', () => {
  const source = fc.record({ state: fc.constantFrom(...STATES), complete: fc.boolean() });
  fc.assert(
    fc.property(fc.array(source, { minLength: 1 }), (sources) => {
      const index = believed(sources);
      const isInTouch = ({ state, complete }: (typeof sources)[number]): boolean =>
        complete && ['connected', 'suspended'].includes(state);
      const chosen = sources[index];
      expect(chosen).toBeDefined();
      if (sources.some(isInTouch)) expect(chosen !== undefined && isInTouch(chosen)).toBe(true);
      expect(sources.slice(0, index).some(isInTouch)).toBe(false);
    }),
  );
});

test('what another source knows is used until the first one is there, and never mixed with it', () => {
  const { first, second, both, versions, say, turn, hosts } = begin();
  turn(second, 'connected');
  say(second, '10.0.0.2');
  expect(hosts()).toEqual(['10.0.0.2:8082']);
  turn(first, 'connected');
  expect(hosts()).toEqual(['10.0.0.2:8082']);
  say(first, '10.0.0.1');
  expect(hosts()).toEqual(['10.0.0.1:8082']);
  say(second, '10.0.0.3');
  expect(hosts()).toEqual(['10.0.0.1:8082']);
  expect(versions).toEqual([1, 2]);
  expect(both.status).toMatchObject({ state: 'connected', detail: null });
});

test('a source that is lost is left for the next one, and taken again when it is back', () => {
  const { first, second, both, faults, say, turn, hosts } = begin();
  for (const [source, host] of [
    [first, '10.0.0.1'],
    [second, '10.0.0.2'],
  ] as const) {
    turn(source, 'connected');
    say(source, host);
  }
  turn(first, 'suspended', 'cut off');
  expect(hosts()).toEqual(['10.0.0.1:8082']);
  turn(first, 'lost', 'cut off');
  expect(hosts()).toEqual(['10.0.0.2:8082']);
  expect(both.status).toMatchObject({
    state: 'connected',
    detail: 'nodes are known from zookeeper: zookeeper is lost (cut off)',
  });
  turn(first, 'connected');
  expect(hosts()).toEqual(['10.0.0.1:8082']);
  expect(faults).toEqual([
    'nodes are known from zookeeper now; zookeeper is lost (cut off)',
    'nodes are known from zookeeper now; zookeeper is connected',
  ]);
});

test('without any that is in touch, what the first one knew last is kept', () => {
  const { first, second, both, say, turn, hosts } = begin();
  turn(first, 'connected');
  say(first, '10.0.0.1');
  turn(first, 'lost');
  turn(second, 'lost');
  expect([hosts(), both.status.state]).toEqual([['10.0.0.1:8082'], 'lost']);
});

test('the same leader with the same number is another term of another source', () => {
  const { first, second, both, turn, versions } = begin();
  const terms: (number | undefined)[] = [];
  both.on('snapshot', ({ latches }) => terms.push(latches?.coordinator.participants[0]?.sequence));
  const latch = { participants: [{ sequence: 3, origin: 'http://10.0.0.1:8081' }] };
  for (const source of [first, second]) {
    source.snapshot = { ...snapshotOf('10.0.0.1'), latches: { coordinator: latch, overlord: latch } };
    turn(source, 'connected');
    source.emit('snapshot', source.snapshot);
  }
  turn(first, 'lost');
  turn(first, 'connected');
  expect(terms).toEqual([3, undefined, 3, undefined, 3]);
  expect(versions).toEqual([1, 2, 3, 4, 5]);
});
