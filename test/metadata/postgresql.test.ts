import { execFile } from 'node:child_process';
import { chmod, chown, copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type PostgresqlServer,
  startPostgresql,
  startStandby,
} from '../../tools/druid-cluster/postgresql-server.ts';
import { waitFor } from '../../tools/druid-cluster/wait.ts';
import { evidenceOf, wrongOf } from '../kit/doctor.ts';
import { judged } from '../kit/metadata/judged.ts';
import { makeCertificates } from '../kit/net/certificates.ts';
import { testPorts } from '../kit/net/ports.ts';
import { startProxy } from '../kit/net/tcp-proxy.ts';

/** One after the other: each test begins with what the one before left. */
let folder: string;
let primary: PostgresqlServer;
let standby: PostgresqlServer;
let both: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-metadata-'));
  const [first = 0, second = 0] = await testPorts(2);
  primary = await startPostgresql({ folder: join(folder, 'a'), port: first, fsync: false });
  both = primary.url.replace(String(first), `${first},127.0.0.1:${second}`);
  standby = await startStandby({
    folder: join(folder, 'b'),
    port: second,
    fsync: false,
    primary,
    synchronous: true,
  });
});

afterAll(async () => {
  await Promise.all([primary?.close(), standby?.close()]);
  await rm(folder, { recursive: true });
});

async function run(url: string, ...statements: string[]): Promise<unknown[]> {
  const client = new pg.Client(url);
  client.on('error', () => {});
  try {
    await client.connect();
    let rows: unknown[] = [];
    for (const statement of statements) ({ rows } = await client.query(statement));
    return rows;
  } finally {
    await client.end();
  }
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Runs the program; it may end with whatever code. */
async function command(
  args: string[],
  environment: Record<string, string>,
): Promise<{ stdout: string; stderr: string }> {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  return promisify(execFile)(process.execPath, [MAIN, ...args], { env }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
}

/** A configuration of a cluster that is not there, so that nothing but the store takes time. */
async function staticConfig(): Promise<string> {
  const file = join(folder, 'gateway.yaml');
  const [port] = await testPorts(1);
  const url = `http://127.0.0.1:${port}`;
  const lines = ['coordinators', 'overlords'].map((role) => `  ${role}: ['${url}']`);
  await writeFile(
    file,
    ['discovery:', '  type: static', 'static:', ...lines, `  brokers: ['${url}']`, ''].join('\n'),
  );
  return file;
}

/** What Druid would have made; the tables' columns are not looked at. */
const TABLES = ['segments', 'rules', 'config', 'tasks', 'tasklocks'].map(
  (name) => `CREATE TABLE druid_${name} ()`,
);

test("a new database is not Druid's, and who follows is hidden from its user", async () => {
  const report = await judged(both);
  expect(wrongOf(report)).toEqual(['ha.metadata-tables FAIL']);
  expect(evidenceOf(report, 'ha.metadata-servers')).toBe('2 servers answer, with the database druid');
  expect(evidenceOf(report, 'ha.metadata-primary')).toBe(
    `127.0.0.1:${primary.port} takes writes, of 2 that answer`,
  );
  expect(evidenceOf(report, 'ha.metadata-replicas')).toContain('GRANT pg_monitor');
});

test('with the tables, a user that may look, and a synchronous standby, nothing is wrong', async () => {
  await run(primary.url, ...TABLES);
  await run(primary.superuserUrl, 'GRANT pg_monitor TO druid');
  const report = await judged(both);
  expect(wrongOf(report)).toEqual([]);
  expect(evidenceOf(report, 'ha.metadata-replicas')).toContain('streaming, synchronous');
  expect(evidenceOf(report, 'ha.metadata-synchronous')).toContain(`waits for 1 of standby_${standby.port}`);
  expect(evidenceOf(report, 'ha.metadata-version')).toMatch(/PostgreSQL \d+\.\d+/);
  expect(report.checks.filter(({ result }) => result === 'SKIP').map(({ id }) => id)).toEqual([
    'ha.metadata-same',
  ]);
});

test('nothing is written', async () => {
  const client = new pg.Client(primary.url);
  await client.connect();
  const before = await client.query('SELECT txid_current() AS next');
  await judged(both);
  const after = await client.query('SELECT txid_current() AS next');
  await client.end();
  // Each of the two above takes one number; a transaction that writes would have taken one between them.
  expect(Number(after.rows[0]?.next)).toBe(Number(before.rows[0]?.next) + 1);
});

test.each([
  [
    'a wrong password',
    (url: string) => url.replace(/:[^:@]*@/, ':wrong@'),
    'refuses the user or the password',
  ],
  ['no password', (url: string) => url.replace(/:[^:@]*@/, '@'), 'wants a password, or another kind of one'],
  ['another database', (url: string) => url.replace(/druid$/, 'druids'), 'has no such database'],
  [
    'TLS, which it does not have',
    (url: string) => `${url}?sslmode=require`,
    'has no TLS, which the URL wants',
  ],
])('%s is told', async (_, change, text) => {
  const report = await judged(change(primary.url));
  expect(wrongOf(report)).toEqual(['ha.metadata-servers FAIL']);
  expect(evidenceOf(report, 'ha.metadata-servers')).toBe(`127.0.0.1:${primary.port} ${text}`);
});

test('a server that takes connections and says nothing costs three seconds, and the other one is judged', async () => {
  const proxy = await startProxy(standby.port);
  proxy.stall();
  const began = performance.now();
  const report = await judged(both.replace(String(standby.port), String(proxy.port)));
  expect(performance.now() - began).toBeLessThan(8_000);
  await proxy.close();
  expect(wrongOf(report)).toEqual(['ha.metadata-servers WARN']);
  expect(evidenceOf(report, 'ha.metadata-servers')).toBe(`127.0.0.1:${proxy.port} does not answer; 1 answer`);
});

test('a proxy in between is told with the address of the server', async () => {
  const proxy = await startProxy(primary.port);
  const report = await judged(primary.url.replace(String(primary.port), String(proxy.port)));
  await proxy.close();
  expect(evidenceOf(report, 'ha.metadata-failover')).toContain(
    `127.0.0.1:${proxy.port} is a proxy or another address of 127.0.0.1:${primary.port}`,
  );
});

test('TLS is checked as the URL says', async () => {
  const { server, ca, strangerCa } = await makeCertificates(folder);
  const pem = join(folder, 'a', 'data', 'tls.pem');
  await copyFile(server, pem);
  const { uid, gid } = await stat(join(folder, 'a', 'data'));
  await chown(pem, uid, gid);
  await chmod(pem, 0o600);
  await run(
    primary.superuserUrl,
    "ALTER SYSTEM SET ssl_cert_file = 'tls.pem'",
    "ALTER SYSTEM SET ssl_key_file = 'tls.pem'",
    'ALTER SYSTEM SET ssl = on',
    'SELECT pg_reload_conf()',
  );
  const said = async (query: string): Promise<string> =>
    evidenceOf(await judged(`${primary.url}?${query}`), 'ha.metadata-servers');
  await waitFor('TLS', async () => (await said('sslmode=require')).startsWith('1 servers answer'), {
    timeoutMs: 30_000,
    intervalMs: 25,
  });
  expect(await said(`sslmode=verify-full&sslrootcert=${ca}`)).toContain('1 servers answer');
  expect(await said(`sslmode=verify-full&sslrootcert=${strangerCa}`)).toContain(
    'has a certificate that is not trusted',
  );
  expect(await said('sslmode=verify-ca')).toContain('has a certificate that is not trusted');
  expect(await said('sslmode=verify-full&sslrootcert=/nowhere.pem')).toContain('cannot be read here');
  await run(primary.superuserUrl, 'ALTER SYSTEM RESET ssl', 'SELECT pg_reload_conf()');
});

test('the command line tells nothing of a user or a password, wherever they come from', async () => {
  const { password } = new URL(primary.url);
  const config = await staticConfig();
  const file = join(folder, 'password.txt');
  await writeFile(file, `${password}\n`);
  const junit = join(folder, 'report.xml');
  const at = `127.0.0.1:${primary.port}/druid`;
  const ways: [string[], Record<string, string>][] = [
    [['--metadata-url', `postgresql://druid_reader:wrong${password}@${at}`], {}],
    [
      [
        '--metadata-url',
        `jdbc:postgresql://${at}`,
        '--metadata-user',
        'druid',
        '--metadata-password-file',
        file,
      ],
      {},
    ],
    [['--metadata-url', `jdbc:postgresql://${at}?user=druid`], { DRUID_GATEWAY_METADATA_PASSWORD: password }],
  ];
  const reports = await Promise.all(
    ways.map(async ([flags, environment], i) => {
      const args = ['doctor', '--config', config, '--json', '--junit', `${junit}${i}`, ...flags];
      const { stdout, stderr } = await command(args, environment);
      const all = stdout + stderr + (await readFile(`${junit}${i}`, 'utf8'));
      expect(all).not.toContain(password);
      expect(all).not.toContain('druid_reader');
      const { checks } = JSON.parse(stdout) as { checks: { id: string; result: string }[] };
      return checks.find(({ id }) => id === 'ha.metadata-servers')?.result;
    }),
  );
  expect(reports).toEqual(['FAIL', 'PASS', 'PASS']);
});

test('without the standby that it waits for, writes hang', async () => {
  await standby.close();
  await waitFor(
    'the primary to notice',
    async () => {
      const rows = await run(primary.superuserUrl, 'SELECT 1 FROM pg_stat_replication');
      return rows.length === 0;
    },
    { timeoutMs: 30_000, intervalMs: 25 },
  );
  const report = await judged(both);
  expect(wrongOf(report)).toEqual([
    'ha.metadata-servers WARN',
    'ha.metadata-replicas FAIL',
    'ha.metadata-synchronous FAIL',
  ]);
  expect(evidenceOf(report, 'ha.metadata-synchronous')).toContain('writes hang');
});

test('an old primary that returns beside its successor takes writes, too', async () => {
  standby = await startPostgresql({ folder: join(folder, 'b'), port: standby.port, fsync: false });
  await primary.kill('SIGKILL');
  await primary.process.ended;
  const alone = await judged(both);
  expect(wrongOf(alone)).toContain('ha.metadata-primary FAIL');
  expect(evidenceOf(alone, 'ha.metadata-primary')).toContain('none of them takes writes');
  await standby.promote();
  primary = await startPostgresql({ folder: join(folder, 'a'), port: primary.port, fsync: false });
  const report = await judged(both);
  expect(wrongOf(report)).toContain('ha.metadata-primary FAIL');
  expect(evidenceOf(report, 'ha.metadata-primary')).toContain('take writes, each by itself');
});
