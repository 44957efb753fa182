import { beforeEach, expect, test } from 'vitest';
import { Addresses } from '../../../src/feeds/addresses.ts';

let answers: Map<string, string>;
let asked: string[];
let now: number;
let addresses: Addresses;

beforeEach(() => {
  answers = new Map([['b1', '10.0.0.1']]);
  asked = [];
  now = 0;
  addresses = new Addresses({
    now: () => now,
    async lookup(name) {
      asked.push(name);
      const address = answers.get(name);
      if (address === undefined) throw new Error(`getaddrinfo ENOTFOUND ${name}`);
      return address;
    },
  });
});

test('a name is looked up once, by all who ask at a time, and addresses are not', async () => {
  await Promise.all([addresses.know(['b1', '10.0.0.9', '::1']), addresses.know(['b1'])]);
  expect(asked).toEqual(['b1']);
  expect(['b1', '10.0.0.9', '::1', 'other'].map((host) => addresses.of(host))).toEqual([
    '10.0.0.1',
    '10.0.0.9',
    '::1',
    null,
  ]);
});

test('a changed address is taken up after half a minute, and the former one serves meanwhile', async () => {
  await addresses.know(['b1']);
  const before = addresses.changes;
  answers.set('b1', '10.0.0.2');
  now = 29_000;
  await addresses.know(['b1']);
  expect(asked).toEqual(['b1']);
  now = 31_000;
  await addresses.know(['b1']);
  await new Promise((resolve) => setImmediate(resolve));
  expect([addresses.of('b1'), addresses.changes]).toEqual(['10.0.0.2', before + 1]);
});

test('a name that does not resolve any more keeps its address, and one that never did is asked for again', async () => {
  await addresses.know(['b1', 'b2']);
  answers.clear();
  answers.set('b2', '10.0.0.7');
  expect(addresses.of('b2')).toBeNull();
  now = 31_000;
  await addresses.know(['b1', 'b2']);
  expect([addresses.of('b1'), addresses.of('b2')]).toEqual(['10.0.0.1', '10.0.0.7']);
});
