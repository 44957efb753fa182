import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../../tools/druid-cluster/wait.ts';
import { evidenceOf, wrongOf } from '../kit/doctor.ts';
import { judged } from '../kit/metadata/judged.ts';
import {
  findMariaDb,
  follow,
  type MariaDb,
  makeDatabase,
  makeMariaDbFolder,
  startMariaDb,
} from '../kit/metadata/mariadb.ts';
import { testPorts } from '../kit/net/ports.ts';

/** One after the other: each test begins with what the one before left. */
let folder: string;
let source: MariaDb;
let replica: MariaDb;
let both: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-mariadb-'));
  const program = await findMariaDb();
  if (program === null)
    throw new Error('MariaDB is needed (Debian, Ubuntu: apt install mariadb-server-core)');
  const made = join(folder, 'made');
  await makeMariaDbFolder(program, made);
  const [first = 0, second = 0] = await testPorts(2);
  const places = { a: join(folder, 'a'), b: join(folder, 'b') };
  await Promise.all(Object.values(places).map((place) => mkdir(place)));
  [source, replica] = await Promise.all([
    startMariaDb(program, made, { folder: places.a, port: first, id: 1 }),
    startMariaDb(program, made, { folder: places.b, port: second, id: 2, args: ['--read-only=ON'] }),
  ]);
  both = (await makeDatabase(source)).replace(String(first), `${first},127.0.0.1:${second}`);
  await follow(replica, source);
});

afterAll(async () => {
  await Promise.all([source?.close(), replica?.close()]);
  await rm(folder, { recursive: true });
});

const TABLES = ['segments', 'rules', 'config', 'tasks', 'tasklocks'].map(
  (name) => `CREATE TABLE druid.druid_${name} (id INT PRIMARY KEY)`,
);

test('who follows is hidden from a user that has only the database of Druid', async () => {
  await source.query(...TABLES);
  const report = await judged(both);
  expect(wrongOf(report)).toEqual([]);
  expect(evidenceOf(report, 'ha.metadata-primary')).toBe(
    `127.0.0.1:${source.port} takes writes, of 2 that answer`,
  );
  expect(evidenceOf(report, 'ha.metadata-replicas')).toContain('REPLICA MONITOR');
  expect(evidenceOf(report, 'ha.metadata-charset')).toContain('utf8mb4');
  expect(evidenceOf(report, 'ha.metadata-version')).toContain('MariaDB 1');
});

test('it is shown to one that may look', async () => {
  await source.query("GRANT PROCESS, REPLICA MONITOR, REPLICATION MASTER ADMIN ON *.* TO druid@'%'");
  const rows = async (): Promise<boolean> =>
    (
      await replica.query(
        "SELECT 1 FROM mysql.global_priv WHERE user = 'druid' AND JSON_VALUE(priv, '$.access') > 0",
      )
    ).length > 0;
  await waitFor('the grant to be replicated', rows, { timeoutMs: 30_000, intervalMs: 25 });
  const report = await judged(both);
  expect(wrongOf(report)).toEqual([]);
  expect(evidenceOf(report, 'ha.metadata-replicas')).toContain(`follows 127.0.0.1:${source.port}`);
  expect(evidenceOf(report, 'ha.metadata-lag')).toBe('0.0 s at most');
});

test.each([
  ['a wrong password', (url: string) => url.replace('geheim', 'wrong'), 'refuses the user or the password'],
  [
    'another database',
    (url: string) => url.replace(/druid$/, 'mysql'),
    'has no such database, or does not let this user in',
  ],
  [
    'TLS, which it does not have',
    (url: string) => `${url}?sslMode=REQUIRED`,
    'has no TLS, which the URL wants',
  ],
])('%s is told', async (_, change, text) => {
  const report = await judged(change(both));
  expect(wrongOf(report)).toEqual(['ha.metadata-servers FAIL']);
  expect(evidenceOf(report, 'ha.metadata-servers')).toContain(text);
});

test('a replication that stopped with an error', async () => {
  // The replica has what the source makes next, so it cannot do the same.
  await replica.query('SET GLOBAL read_only = OFF', 'INSERT INTO druid.druid_config VALUES (1)');
  await source.query('INSERT INTO druid.druid_config VALUES (1)');
  const stopped = async (): Promise<boolean> =>
    (await replica.query('SHOW SLAVE STATUS'))[0]?.Slave_SQL_Running === 'No';
  await waitFor('the replica to stop', stopped, { timeoutMs: 30_000, intervalMs: 25 });
  const report = await judged(both);
  expect(wrongOf(report)).toEqual(['ha.metadata-primary WARN', 'ha.metadata-replicas WARN']);
  expect(evidenceOf(report, 'ha.metadata-primary')).toContain('and takes writes, too');
  expect(evidenceOf(report, 'ha.metadata-replicas')).toContain('its error is 1062');
});
