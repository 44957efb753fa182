import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ClusterView, LeaderView } from '../../../../src/cluster/view.ts';
import { ROLES } from '../../../../src/discovery/discovery.ts';
import { chooseConnection } from '../../../../src/routing/jdbc/broker-choice.ts';
import type { Target } from '../../../../src/routing/target.ts';
import { chooseTarget } from '../../../../src/routing/target.ts';
import { changedParts, createViewReader, encodeView } from '../../../../src/workers/protocol/view-codec.ts';
import { arbitraryView, nodesOf } from '../views.ts';

const nodes = nodesOf('10.0.0.1:8082', '10.0.0.2:8082', '10.0.0.3:8081', '[fd00::4]:8281');
/** What the nodes of a view keep to themselves. */
const countsOf = ({ nodes, brokers }: ClusterView): unknown[] =>
  [...nodes.values(), ...brokers.map(({ node }) => node)].map(({ origin, outstanding, share }) => [
    origin,
    outstanding,
    share,
  ]);
const named = (target: Target): string => (target.kind === 'node' ? target.node.origin : target.reason);

/** Whom every kind of request gets, for the same throws of the dice. */
function decisions(view: ClusterView, dice: readonly number[]): string[] {
  let throws = 0;
  const random = (): number => dice[throws++ % dice.length] ?? 0;
  const options = { defaultService: 'druid/broker', maxPerNode: 100 };
  const plain = ROLES.map((role) =>
    chooseTarget({ kind: 'forward', role, class: 'read', target: '/' }, view, random, new Set(), options),
  );
  const jdbc = ['a', 'b', 'c'].map((id) =>
    chooseConnection(id, '10.0.0.1:8082', view, new Set(), new Set(['druid/broker'])),
  );
  return [...plain, ...jdbc].map(named);
}

const dice = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 8 });
const shares = fc.array(fc.double({ min: 0.1, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 });

test('a worker decides on the view as the primary would, however the view has changed', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(arbitraryView(nodes), shares, dice), { minLength: 1 }), (steps) => {
      const reader = createViewReader();
      let told = null;
      let read: ClusterView | null = null;
      for (const [view, share, throws] of steps) {
        for (const [i, node] of nodes.entries()) node.takeShare(share[i] ?? 1);
        const next = encodeView(view);
        const parts = changedParts(told, next);
        told = next;
        if (parts !== null) read = reader.read(parts);
        if (read === null) throw new Error('the first view was not told');
        expect(decisions(read, throws)).toEqual(decisions(view, throws));
        // Shares of those that are no Broker mean nothing.
        const known = new Set(view.brokers.map(({ node }) => node.origin));
        for (const node of [...nodes, ...read.nodes.values()]) if (!known.has(node.origin)) node.takeShare(1);
        expect(read).toEqual(view);
        expect(countsOf(read)).toEqual(countsOf(view));
      }
    }),
  );
});

test('a new leader does not carry the Brokers along, and nothing is told twice', () => {
  const [view] = fc.sample(arbitraryView(nodes), { numRuns: 1, seed: 1 });
  if (view === undefined) throw new Error('no view');
  const told = encodeView(view);
  const leader = { ...view.leaders.overlord, since: view.leaders.overlord.since + 1 };
  const moved = encodeView({ ...view, leaders: { ...view.leaders, overlord: leader } });
  expect(changedParts(told, moved)).toEqual({ head: moved.head });
  expect(changedParts(moved, moved)).toBeNull();
});

test('a leader is told as text, its node by the origin', () => {
  const [view] = fc.sample(arbitraryView(nodes), { numRuns: 1, seed: 1 });
  const [node] = nodes;
  if (view === undefined || node === undefined) throw new Error('no view');
  const seen = { term: 7, knownBy: 'latch', since: 5 } as const;
  const told = (coordinator: LeaderView): string => {
    const { head } = encodeView({ ...view, leaders: { ...view.leaders, coordinator } });
    return JSON.stringify(JSON.parse(head).leaders.coordinator);
  };
  expect(told({ role: 'coordinator', state: 'serving', node, ...seen, waitReason: null })).toBe(
    '{"role":"coordinator","state":"serving","node":"http://10.0.0.1:8082","term":7,"knownBy":"latch","since":5,"waitReason":null}',
  );
  expect(told({ role: 'coordinator', state: 'elected', node, ...seen, waitReason: 'discovery_stale' })).toBe(
    '{"role":"coordinator","state":"elected","node":"http://10.0.0.1:8082","term":7,"knownBy":"latch","since":5,"waitReason":"discovery_stale"}',
  );
  expect(told({ role: 'coordinator', state: 'elected', node: null, ...seen, waitReason: 'no_leader' })).toBe(
    '{"role":"coordinator","state":"elected","node":null,"term":7,"knownBy":"latch","since":5,"waitReason":"no_leader"}',
  );
  const none = { term: null, knownBy: 'nothing', since: 5, waitReason: 'no_leader' } as const;
  expect(told({ role: 'coordinator', state: 'none', node: null, ...none })).toBe(
    '{"role":"coordinator","state":"none","node":null,"term":null,"knownBy":"nothing","since":5,"waitReason":"no_leader"}',
  );
});

test('a node keeps its object, and with it what is under way, through all views', () => {
  const [view] = fc.sample(arbitraryView(nodes), { numRuns: 1, seed: 2 });
  if (view === undefined) throw new Error('no view');
  const reader = createViewReader();
  const first = reader.read(encodeView(view)).nodes.get('http://10.0.0.1:8082');
  if (first === undefined) throw new Error('no node');
  first.recount(3);
  reader.read(encodeView({ ...view, nodes: new Map(), brokers: [], pools: new Map() }));
  expect(reader.read(encodeView(view)).nodes.get(first.origin)).toBe(first);
});

test('a worker reaches nodes where the primary does', () => {
  const [known] = nodesOf('broker-0.druid:8082');
  if (known === undefined) throw new Error('no node');
  const view = fc.sample(arbitraryView([known]), 1)[0];
  if (view === undefined) throw new Error('no view');
  const nodesAt = (address: string | null): ClusterView => {
    known.reachAt(address);
    return { ...view, nodes: new Map([[known.origin, known]]) };
  };
  const reader = createViewReader();
  for (const address of ['10.1.0.1', '10.1.0.2', null]) {
    expect(reader.read(encodeView(nodesAt(address))).nodes.get(known.origin)?.address).toBe(address);
  }
});
