import { expect, test } from 'vitest';
import { parseOptions, WrongOption } from '../../../bench/options.ts';

const KNOWN = { peers: ['nginx', 'haproxy', 'front'], workloads: ['sql', 'get1k', 'big'] };
const parse = (...args: string[]) => parseOptions(args, KNOWN);

test('without options it is all peers, all workloads and the whole length', () => {
  expect(parse()).toEqual({
    rounds: 5,
    seconds: 4,
    peers: KNOWN.peers,
    workloads: KNOWN.workloads,
    elections: 7,
    memory: true,
    starts: 15,
    druid: true,
    cores: [0, 1],
    warmUp: 1,
    publish: false,
  });
});

test('lists choose, in the known order; what is measured in a way of its own is chosen as a workload', () => {
  expect(parse('--peers', 'front,nginx', '--workloads', 'get1k,sql')).toMatchObject({
    peers: ['nginx', 'front'],
    workloads: ['sql', 'get1k'],
    elections: 0,
    memory: false,
    starts: 0,
    druid: false,
  });
  expect(parse('--workloads', 'memory,start,druid', '--starts', '4')).toMatchObject({
    workloads: [],
    elections: 0,
    memory: true,
    starts: 4,
    druid: true,
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
  [['--starts=-1'], '--starts is a whole number from 0'],
  [['--fast'], '--fast'],
])('%j is refused with what is wrong', (args, message) => {
  expect(() => parse(...args)).toThrow(WrongOption);
  expect(() => parse(...args)).toThrow(message);
});
