import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { examine } from '../../../../src/doctor/examine.ts';
import type { Facts } from '../../../../src/doctor/facts.ts';
import type { Group, Replica, StoreFacts, StoreState } from '../../../../src/doctor/store/store-facts.ts';
import { evidenceOf } from '../../../kit/doctor.ts';
import { COORDINATORS, HEALTHY, properties, REPLICA, SOURCE, STORE, storeServer } from '../made-up.ts';

/** What the checks of the store find, as `id RESULT`, without `ha.`. */
function found(facts: Facts): string[] {
  return examine(facts)
    .checks.filter(({ id, result }) => id.startsWith('ha.') && (result === 'WARN' || result === 'FAIL'))
    .map(({ id, result }) => `${id.slice('ha.'.length)} ${result}`);
}

function resultOf(facts: Facts, id: string): string {
  return examine(facts).checks.find((check) => check.id === id)?.result ?? '';
}

function stored(change: Partial<StoreFacts>): Facts {
  return { ...HEALTHY, store: { ...STORE, ...change } };
}

function servers(...states: readonly StoreState[]): Facts {
  return stored({ servers: states.map((state, i) => storeServer(`db-${i + 1}:3306`, state)) });
}

const SILENT = {
  name: 'db-9:3306',
  state: null,
  problem: { kind: 'silent', text: 'does not answer' },
} as const;

const STANDBY: Replica = { name: 'b at 10.0.0.8', state: 'streaming', synchronous: true, lagMs: 3 };
const PRIMARY_PG: StoreState = {
  ...SOURCE,
  product: 'PostgreSQL',
  version: '17.2',
  identity: '7100000000000000001',
  charset: 'UTF8',
  tables: SOURCE.tables.map(({ name }) => ({ schema: 'public', name })),
  replicas: [STANDBY],
  commit: { kind: 'standbys', names: 'b', level: 'on' },
};
const STANDBY_PG: StoreState = {
  ...PRIMARY_PG,
  instance: 'b',
  takesWrites: false,
  replicas: [],
  upstream: { from: '10.0.0.7:5432', running: true, lagMs: 0, detail: '' },
  commit: { kind: 'standbys', names: '', level: 'on' },
};

function postgresql(...states: readonly StoreState[]): Facts {
  const change = {
    'druid.metadata.storage.type': 'postgresql',
    'druid.metadata.storage.connector.connectURI':
      'jdbc:postgresql://db-1,db-2/druid?targetServerType=primary',
  };
  return {
    ...HEALTHY,
    properties: COORDINATORS.map((origin) => properties(origin, 'coordinator', change)),
    store: {
      ...STORE,
      kind: 'postgresql',
      servers: states.map((state, i) => storeServer(`db-${i + 1}:5432`, state)),
    },
  };
}

const GROUP: Group = { kind: 'Group Replication', quorum: true, multiPrimary: false, size: 3, unwell: [] };
const GALERA: StoreState = {
  ...SOURCE,
  product: 'MariaDB',
  version: '11.4.2',
  identity: 'e2c9a15e',
  group: { ...GROUP, kind: 'Galera', multiPrimary: true },
  replicas: [],
  commit: { kind: 'semi-synchronous', on: false, clients: 0 },
};

describe('a store with nothing wrong has no finding', () => {
  test.each<[string, Facts]>([
    ['MySQL with a semi-synchronous replica', HEALTHY],
    ['a PostgreSQL primary and its synchronous standby', postgresql(PRIMARY_PG, STANDBY_PG)],
    ['the primary alone was named', postgresql(PRIMARY_PG)],
    [
      'a standby of which the primary does not wait',
      postgresql(
        {
          ...PRIMARY_PG,
          commit: { kind: 'standbys', names: '', level: 'on' },
          replicas: [{ ...STANDBY, synchronous: false }],
        },
        STANDBY_PG,
      ),
    ],
    [
      'this user may not see who follows',
      postgresql({ ...PRIMARY_PG, replicas: [{ ...STANDBY, state: null, synchronous: false }] }),
    ],
    ['one server by two names', postgresql(PRIMARY_PG, PRIMARY_PG, STANDBY_PG)],
    [
      'Group Replication',
      servers(
        { ...SOURCE, group: GROUP },
        { ...REPLICA, upstream: null, group: GROUP },
        { ...REPLICA, instance: 'c', upstream: null, group: GROUP },
      ),
    ],
    ['Galera', servers(GALERA, { ...GALERA, instance: 'b' }, { ...GALERA, instance: 'c' })],
    [
      'Amazon Aurora, whose copies are beneath the database',
      postgresql({
        ...PRIMARY_PG,
        managed: 'Amazon Aurora',
        replicas: [],
        commit: { kind: 'standbys', names: '', level: 'on' },
      }),
    ],
    [
      'through a proxy',
      postgresql({ ...PRIMARY_PG, behind: '10.0.0.7:5432', clients: ['10.0.0.99'] }, STANDBY_PG),
    ],
    ['nobody asked for it', { ...HEALTHY, store: null }],
  ])('%s', (_, facts) => {
    expect(found(facts)).toEqual([]);
  });
});

describe('each broken store has its diagnosis and no other', () => {
  test.each<[string, Facts, string[], string, string]>([
    [
      'the standby is silent',
      stored({ servers: [...STORE.servers, SILENT] }),
      ['metadata-servers WARN'],
      'servers',
      'db-9:3306 does not answer; 2 answer',
    ],
    [
      'all are silent',
      stored({ servers: [SILENT] }),
      ['metadata-servers FAIL'],
      'servers',
      'db-9:3306 does not answer',
    ],
    [
      'the primary is gone and nobody took its place',
      postgresql(STANDBY_PG),
      ['metadata-primary FAIL'],
      'primary',
      'none of them takes writes',
    ],
    [
      'the old primary came back beside the new one',
      postgresql(
        { ...PRIMARY_PG, commit: { kind: 'standbys', names: '', level: 'on' } },
        { ...PRIMARY_PG, instance: 'b' },
      ),
      ['metadata-primary FAIL'],
      'primary',
      'db-1:5432; db-2:5432 take writes, each by itself',
    ],
    [
      'servers of two stores were named',
      postgresql(PRIMARY_PG, { ...STANDBY_PG, identity: '7200000000000000002' }),
      ['metadata-primary FAIL'],
      'primary',
      'different stores',
    ],
    [
      'a replica takes writes, too',
      servers(SOURCE, { ...REPLICA, takesWrites: true, commit: SOURCE.commit }),
      ['metadata-primary WARN'],
      'primary',
      'db-2:3306 follows db-1:3306 and takes writes, too',
    ],
    [
      "another database than Druid's",
      servers({ ...SOURCE, tables: [] }, { ...REPLICA, tables: [] }),
      ['metadata-tables FAIL'],
      'tables',
      'db-1:3306 has no druid_segments, druid_rules, druid_config',
    ],
    [
      'tables by another name',
      servers({ ...SOURCE, tables: [{ schema: '', name: 'prod_segments' }] }),
      ['metadata-tables FAIL'],
      'tables',
      'there is prod_segments',
    ],
    [
      'tasks are kept in the memory of the Overlord',
      servers({ ...SOURCE, tables: SOURCE.tables.slice(0, 3) }),
      ['metadata-tables WARN'],
      'tables',
      'tasks are not kept in it',
    ],
    [
      'tables in another schema',
      postgresql({ ...PRIMARY_PG, tables: PRIMARY_PG.tables.map(({ name }) => ({ schema: 'druid', name })) }),
      ['metadata-tables FAIL'],
      'tables',
      'there is druid.druid_segments',
    ],
    [
      'masters use another kind of store',
      { ...postgresql(PRIMARY_PG), properties: HEALTHY.properties },
      ['metadata-same FAIL'],
      'same',
      'has mysql, not postgresql',
    ],
    [
      'masters use another database',
      stored({ database: 'druid_test' }),
      ['metadata-same WARN'],
      'same',
      'the database druid, not druid_test',
    ],
    [
      'nobody is connected to it',
      { ...stored({ servers: [storeServer('vip:3306', { ...SOURCE, clients: [] })] }) },
      ['metadata-same WARN'],
      'same',
      'nobody is connected',
    ],
    [
      'nobody follows the primary',
      postgresql({ ...PRIMARY_PG, replicas: [], commit: { kind: 'standbys', names: '', level: 'on' } }),
      ['metadata-replicas FAIL'],
      'replicas',
      'nobody follows db-1:5432',
    ],
    [
      'writes wait for a standby that is gone',
      postgresql({ ...PRIMARY_PG, replicas: [] }),
      ['metadata-replicas FAIL', 'metadata-synchronous FAIL'],
      'synchronous',
      'waits for 1 of b, of which 0 follow: writes hang',
    ],
    [
      'writes wait for two and one is there',
      postgresql({ ...PRIMARY_PG, commit: { kind: 'standbys', names: 'ANY 2 (b, c)', level: 'on' } }),
      ['metadata-synchronous FAIL'],
      'synchronous',
      'waits for 2 of ANY 2 (b, c), of which 1 follow',
    ],
    [
      'the standby catches up',
      postgresql(
        {
          ...PRIMARY_PG,
          commit: { kind: 'standbys', names: '', level: 'on' },
          replicas: [{ ...STANDBY, state: 'catchup' }],
        },
        STANDBY_PG,
      ),
      ['metadata-replicas WARN'],
      'replicas',
      'catchup',
    ],
    [
      'one of two standbys receives nothing',
      postgresql(PRIMARY_PG, {
        ...STANDBY_PG,
        upstream: { from: null, running: false, lagMs: null, detail: '' },
      }),
      ['metadata-replicas WARN'],
      'replicas',
      'db-2:5432 does not receive from a primary',
    ],
    [
      'the replication of MySQL stopped with an error',
      servers(
        { ...SOURCE, replicas: [], commit: { kind: 'semi-synchronous', on: false, clients: 0 } },
        {
          ...REPLICA,
          upstream: { from: 'db-1:3306', running: false, lagMs: null, detail: 'its error is 1062' },
        },
      ),
      ['metadata-replicas FAIL'],
      'replicas',
      'db-2:3306 does not receive from db-1:3306; its error is 1062',
    ],
    [
      'a replica is far behind',
      servers(SOURCE, {
        ...REPLICA,
        upstream: { from: 'db-1:3306', running: true, lagMs: 93_000, detail: '' },
      }),
      ['metadata-lag WARN'],
      'lag',
      'db-2:3306 is 93 s behind',
    ],
    [
      'no replica acknowledges',
      servers({ ...SOURCE, commit: { kind: 'semi-synchronous', on: true, clients: 0 } }, REPLICA),
      ['metadata-synchronous WARN'],
      'synchronous',
      'no replica acknowledges',
    ],
    [
      'a group without a majority',
      servers({ ...SOURCE, group: { ...GROUP, quorum: false } }),
      ['metadata-replicas FAIL'],
      'replicas',
      'without a majority',
    ],
    [
      'a group of two',
      servers({ ...SOURCE, group: { ...GROUP, size: 2 } }),
      ['metadata-replicas WARN'],
      'replicas',
      'the loss of one ends the majority',
    ],
    [
      'a member that recovers',
      servers({ ...SOURCE, group: { ...GROUP, unwell: ['db-3:3306: RECOVERING'] } }),
      ['metadata-replicas WARN'],
      'replicas',
      'db-3:3306: RECOVERING',
    ],
    [
      'almost no connection left',
      servers({ ...SOURCE, connections: { used: 140, most: 151 } }, REPLICA),
      ['metadata-connections WARN'],
      'connections',
      'db-1:3306: 140 of 151',
    ],
    [
      'an old version',
      servers({ ...SOURCE, version: '5.7.44' }, REPLICA),
      ['metadata-version WARN'],
      'version',
      'db-1:3306: MySQL 5.7.44: out of support since 2023-10-31',
    ],
    [
      'a version of long ago',
      servers({ ...SOURCE, version: '5.1.73' }, REPLICA),
      ['metadata-version WARN'],
      'version',
      'out of support since long ago',
    ],
    [
      'a charset with which Druid does not start',
      servers({ ...SOURCE, charset: 'latin1' }, REPLICA),
      ['metadata-charset FAIL'],
      'charset',
      'db-1:3306: latin1',
    ],
    [
      'half of UTF-8',
      servers({ ...SOURCE, charset: 'utf8mb3' }, REPLICA),
      ['metadata-charset WARN'],
      'charset',
      'utf8mb3',
    ],
  ])('%s', (_, facts, expected, id, evidence) => {
    expect(found(facts)).toEqual(expected);
    expect(evidenceOf(examine(facts), `ha.metadata-${id}`)).toContain(evidence);
  });
});

describe('the URL of the masters', () => {
  test.each([
    ['jdbc:postgresql://db-1,db-2/druid?targetServerType=primary', 'PASS'],
    ['jdbc:postgresql://db-1,db-2/druid?targetServerType=master', 'PASS'],
    ['jdbc:postgresql://db-1,db-2/druid', 'WARN'],
    ['jdbc:postgresql://db-1,db-2/druid?targetServerType=preferSecondary', 'WARN'],
    ['jdbc:postgresql://db-1/druid', 'SKIP'],
    ['jdbc:mysql://db-1,db-2/druid', 'WARN'],
    ['jdbc:mysql://db-1,db-2/druid?failOverReadOnly=false', 'PASS'],
    ['jdbc:mysql:replication://db-1,db-2/druid', 'INFO'],
    ['jdbc:mysql:loadbalance://db-1,db-2/druid', 'INFO'],
    ['jdbc:mariadb:sequential://db-1,db-2/druid', 'PASS'],
    ['jdbc:mariadb://db-1,db-2/druid', 'WARN'],
    ['jdbc:aws-wrapper:mysql://cluster/druid', 'PASS'],
    ['jdbc:derby://db-1:1527/druid;create=true', 'SKIP'],
    ['rubbish', 'SKIP'],
  ])('%s: %s', (uri, expected) => {
    const change = { 'druid.metadata.storage.connector.connectURI': uri };
    const masters = COORDINATORS.map((origin) => properties(origin, 'coordinator', change));
    expect(resultOf({ ...HEALTHY, store: null, properties: masters }, 'ha.metadata-failover')).toBe(expected);
  });

  test('is not needed where a manager of PostgreSQL is connected', () => {
    const facts = { ...postgresql({ ...PRIMARY_PG, managers: ['Patroni'] }), properties: [] };
    expect(evidenceOf(examine(facts), 'ha.metadata-failover')).toBe(
      'Patroni is connected, which makes a replica the primary',
    );
  });
});

test('what cannot be seen is said, with the privilege that shows it', () => {
  const facts = postgresql({ ...PRIMARY_PG, replicas: [{ ...STANDBY, state: null }], clients: null });
  expect(resultOf(facts, 'ha.metadata-replicas')).toBe('INFO');
  expect(evidenceOf(examine(facts), 'ha.metadata-replicas')).toContain('GRANT pg_monitor');
  expect(resultOf(facts, 'ha.metadata-synchronous')).toBe('INFO');
});

test('no check of the store throws, whatever its servers say', () => {
  const text = fc.string({ maxLength: 30 });
  const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
  const state: fc.Arbitrary<StoreState> = fc.record({
    product: fc.oneof(text, fc.constantFrom('PostgreSQL', 'MySQL', '__proto__', 'toString')),
    version: fc.oneof(text, fc.constantFrom('8.0', '99', '1.2.3.4.5')),
    managed: maybe(text),
    identity: maybe(text),
    instance: maybe(text),
    takesWrites: fc.boolean(),
    charset: text,
    tables: fc.array(fc.record({ schema: text, name: text }), { maxLength: 3 }),
    clients: maybe(fc.array(text, { maxLength: 3 })),
    connections: maybe(fc.record({ used: fc.double(), most: fc.double() })),
    replicas: maybe(
      fc.array(
        fc.record({ name: text, state: maybe(text), synchronous: fc.boolean(), lagMs: maybe(fc.double()) }),
        { maxLength: 3 },
      ),
    ),
    upstream: maybe(
      fc.record({ from: maybe(text), running: maybe(fc.boolean()), lagMs: maybe(fc.double()), detail: text }),
    ),
    upstreamHidden: fc.boolean(),
    commit: fc.oneof(
      fc.record({ kind: fc.constant('standbys' as const), names: text, level: text }),
      fc.record({ kind: fc.constant('semi-synchronous' as const), on: fc.boolean(), clients: fc.double() }),
      fc.constant({ kind: 'unknown' as const }),
    ),
    group: maybe(
      fc.record({
        kind: fc.constant('Galera' as const),
        quorum: fc.boolean(),
        multiPrimary: fc.boolean(),
        size: fc.integer(),
        unwell: fc.array(text, { maxLength: 2 }),
      }),
    ),
    managers: fc.array(text, { maxLength: 2 }),
    behind: maybe(text),
  });
  fc.assert(
    fc.property(
      fc.array(state, { maxLength: 3 }),
      fc.constantFrom('mysql' as const, 'postgresql' as const),
      (states, kind) => {
        const errors: unknown[] = [];
        const facts = stored({ kind, servers: states.map((one, i) => storeServer(`db-${i}:1`, one)) });
        examine(facts, new Set(), (error) => errors.push(error));
        expect(errors).toEqual([]);
      },
    ),
  );
});
