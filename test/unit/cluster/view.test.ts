import { expect, test } from 'vitest';
import { UpstreamNode } from '../../../src/cluster/node.ts';
import type { LeaderView } from '../../../src/cluster/view.ts';

const node = new UpstreamNode('http://10.0.0.1:8081');
const seen = { role: 'coordinator', since: 0 } as const;
const none = { ...seen, state: 'none', node: null, term: null, knownBy: 'nothing' } as const;
const serving = { ...seen, state: 'serving', node, term: 1, knownBy: 'both', waitReason: null } as const;
const elected = { ...seen, state: 'elected', node, term: 1, knownBy: 'latch' } as const;

test('a leader that cannot be does not pass the type check', () => {
  const impossible: LeaderView[] = [
    // @ts-expect-error Who serves is a node.
    { ...serving, node: null },
    // @ts-expect-error Nobody waits for one that serves.
    { ...serving, waitReason: 'no_leader' },
    // @ts-expect-error Something vouches for one that serves.
    { ...serving, knownBy: 'nothing' },
    // @ts-expect-error Where there is no leader there is no node.
    { ...none, waitReason: 'no_leader', node },
    // @ts-expect-error Nor a term.
    { ...none, waitReason: 'no_leader', term: 1 },
    // @ts-expect-error Whoever waits is told why.
    { ...none, waitReason: null },
    // @ts-expect-error One that does not serve yet, too.
    { ...elected, waitReason: null },
  ];
  expect(impossible).toHaveLength(7);
});
