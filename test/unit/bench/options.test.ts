import { expect, test } from 'vitest';
import { parseOptions, WrongOption } from '../../../bench/options.ts';

const KNOWN = { peers: ['nginx', 'haproxy', 'front'], workloads: ['sql', 'get1k', 'big'] };
const parse = (...args: string[]) => parseOptions(args, KNOWN);

test('without options it is all peers, all workloads and the whole length', () => {
  expect(parse()).toEqual({
    rounds: 5,
    seconds: 6,
    peers: KNOWN.peers,
    workloads: KNOWN.workloads,
    elections: 7,
    cores: [0, 1],
    warmUp: 1,
    publish: false,
  });
});

test('lists choose, in the known order; fail-over is chosen as a workload', () => {
  expect(parse('--peers', 'front,nginx', '--workloads', 'get1k,sql')).toMatchObject({
    peers: ['nginx', 'front'],
    workloads: ['sql', 'get1k'],
    elections: 0,
  });
  expect(parse('--workloads', 'failover', '--elections', '3')).toMatchObject({ workloads: [], elections: 3 });
});

test('quick is short, and what is said beside it wins', () => {
  expect(parse('--quick')).toMatchObject({ rounds: 1, seconds: 2 });
  expect(parse('--quick', '--seconds', '4')).toMatchObject({ rounds: 1, seconds: 4 });
});

test.each([
  [['--rounds', '0'], '--rounds is a whole number from 1'],
  [['--seconds', '1.5'], '--seconds'],
  [['--peers', 'nginx,apache'], 'apache is none of nginx, haproxy, front'],
  [['--workloads', ''], '--workloads'],
  [['--cores', '1,1'], '--cores'],
  [['--fast'], '--fast'],
])('%j is refused with what is wrong', (args, message) => {
  expect(() => parse(...args)).toThrow(WrongOption);
  expect(() => parse(...args)).toThrow(message);
});
