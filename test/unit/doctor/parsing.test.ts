import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMembers } from '../../../src/doctor/ensemble-config.ts';
import { parseState } from '../../../src/doctor/four-letter-words.ts';
import { parseGatewayStatus } from '../../../src/doctor/gateway-facts.ts';
import { describeStore } from '../../../src/doctor/metadata-store.ts';
import { merged } from '../../../src/doctor/node-facts.ts';
import { listed, printable } from '../../../src/doctor/printable.ts';

describe('a dynamic configuration', () => {
  test.each([
    ['', []],
    ['version=0', []],
    [
      'server.1=zk-1:2888:3888:participant;0.0.0.0:2181\nserver.2=zk-2:2888:3888:observer;2182\nversion=100000000',
      [
        { id: 1, voter: true, client: 'zk-1:2181' },
        { id: 2, voter: false, client: 'zk-2:2182' },
      ],
    ],
    ['server.3=[fd00::3]:2888:3888;[fd00::33]:2181', [{ id: 3, voter: true, client: '[fd00::33]:2181' }]],
    ['server.1=127.0.0.1:2888:3888:participant', [{ id: 1, voter: true, client: null }]],
    ['server.x=a:1:2;3\n<html>', []],
  ])('%j', (text, members) => {
    expect(parseMembers(text)).toEqual(members);
  });

  test('is never too long', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => parseMembers(text).length <= 100));
    expect(parseMembers('server.1=a:1:2;3\n'.repeat(10_000))).toHaveLength(100);
  });
});

test.each([
  ['Zookeeper version: 3.9.4\nMode: follower\nNode count: 7\n', '', { mode: 'follower', serves: true }],
  [
    'srvr is not executed because it is not in the whitelist.',
    'zk_server_state\tleader\n',
    { mode: 'leader', serves: true },
  ],
  ['This ZooKeeper instance is not currently serving requests\n', '', { mode: null, serves: false }],
  ['', '', { mode: null, serves: null }],
  ['Mode: \u001b[2J', '', { mode: null, serves: null }],
])('srvr %j and mntr %j', (srvr, mntr, state) => {
  expect(parseState(srvr, mntr)).toEqual(state);
});

describe('a metadata store', () => {
  test.each([
    [undefined, undefined, { type: 'derby', shown: null, hosts: [], failsOver: false }],
    [
      'derby',
      'jdbc:derby://h:1527/var/druid;create=true',
      { type: 'derby', shown: 'jdbc:derby://h:1527/var', hosts: ['h:1527'], failsOver: false },
    ],
    [
      'mysql',
      'jdbc:mysql://a:3306,b:3306/druid?password=secret',
      {
        type: 'mysql',
        shown: 'jdbc:mysql://a,b/druid',
        hosts: ['a', 'b'],
        failsOver: false,
      },
    ],
    [
      'mysql',
      'jdbc:mysql:replication://u:secret@a/druid',
      { type: 'mysql', shown: 'jdbc:mysql:replication://a/druid', hosts: ['a'], failsOver: true },
    ],
    [
      'postgresql',
      'jdbc:postgresql://a/druid?targetServerType=primary',
      { type: 'postgresql', shown: 'jdbc:postgresql://a/druid', hosts: ['a'], failsOver: true },
    ],
  ])('of type %s at %s', (type, uri, described) => {
    expect(describeStore(type, uri)).toEqual(described);
  });

  test('never shows a user, a password or an option', () => {
    const secret = fc.stringMatching(/^[A-Z]{12}$/);
    fc.assert(
      fc.property(
        secret,
        fc.constantFrom('mysql', 'mysql:replication', 'postgresql', 'derby'),
        (word, driver) => {
          for (const uri of [
            `jdbc:${driver}://user:${word}@db:1/druid`,
            `jdbc:${driver}://${word}@a:1,u:${word}@b/druid`,
            `jdbc:${driver}://db/druid?user=u&password=${word}`,
            `jdbc:${driver}://db/druid;password=${word}`,
            `jdbc:${driver}:user/${word}@db`,
            `jdbc:${driver}://address=(host=db)(password=${word})/druid`,
          ]) {
            expect(JSON.stringify(describeStore(driver, uri))).not.toContain(word);
          }
        },
      ),
    );
  });
});

test('a status is read in parts, each of its type, and anything else is none', () => {
  expect(parseGatewayStatus(null)).toBeNull();
  expect(parseGatewayStatus('<html>')).toBeNull();
  expect(parseGatewayStatus({ leaders: {}, brokers: [1, { node: 7, ready: 'yes' }], config: {} })).toEqual({
    version: 'unknown',
    leaders: { coordinator: { node: null, state: 'unknown' }, overlord: { node: null, state: 'unknown' } },
    brokers: [{ node: '', ready: false }],
    discovery: { state: 'unknown' },
    config: null,
  });
  fc.assert(fc.property(fc.jsonValue(), (value) => void parseGatewayStatus(value)));
});

test('a node that announces itself in two roles is one node, and masters and Brokers come first', () => {
  const node = { hostAndPort: 'a:1', origin: 'http://a:1', service: 's', version: null };
  const other = { ...node, origin: 'http://b:1', hostAndPort: 'b:1' };
  const nodes = merged([
    { role: 'historical', ...other },
    { role: 'coordinator', ...node },
    { role: 'overlord', ...node },
  ]);
  expect(nodes.map(({ origin, roles }) => [origin, roles])).toEqual([
    ['http://a:1', ['coordinator', 'overlord']],
    ['http://b:1', ['historical']],
  ]);
});

test('printable text is one bounded line that a terminal shows as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 50 }), (text, longest) => {
      const shown = printable(text, longest);
      expect(shown).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      expect(shown.length).toBeLessThanOrEqual(longest * 10 + 1);
    }),
  );
  expect(listed(['a', 'b', 'c'], 2)).toBe('a; b; and 1 more');
});
