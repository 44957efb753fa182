import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, cp, mkdir, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import mysql from 'mysql2/promise';
import { type ManagedProcess, startProcess } from '../../../tools/druid-cluster/managed-process.ts';
import { waitFor } from '../../../tools/druid-cluster/wait.ts';

/** What makes the tables of a new server, in order; Debian keeps it in the package of the server. */
const SHARE = '/usr/share/mysql';
const SCRIPTS = ['mysql_system_tables.sql', 'mysql_performance_tables.sql', 'mysql_system_tables_data.sql'];
const PASSWORD = 'geheim';
const SMALL = [
  '--no-defaults',
  '--innodb-buffer-pool-size=16M',
  '--innodb-log-file-size=8M',
  '--innodb-flush-log-at-trx-commit=0',
  ...(process.getuid?.() === 0 ? ['--user=root'] : []),
];

/** A MariaDB server on loopback; `druid` has the database `druid`, `root` everything, without a password. */
export interface MariaDb {
  readonly port: number;
  readonly process: ManagedProcess;
  /** Runs statements one after the other as `root`; the rows of the last. */
  query(...statements: string[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** Whether a server is installed here. */
export async function findMariaDb(): Promise<string | null> {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']) {
    const file = join(folder, 'mariadbd');
    if (
      folder !== '' &&
      (await access(file).then(
        () => true,
        () => false,
      ))
    )
      return file;
  }
  return null;
}

/** Makes a folder with the tables of a new server, to be copied for each that starts. */
export async function makeMariaDbFolder(program: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const scripts = await Promise.all(SCRIPTS.map((name) => readFile(join(SHARE, name), 'utf8')));
  // As `mariadb-install-db` does, less a root of this machine's name.
  const lines = scripts
    .join('\n')
    .split('\n')
    .filter((line) => !line.includes('@current_hostname'));
  const statements = [
    'create database mysql;',
    'use mysql;',
    'SET @auth_root_socket=NULL;',
    ...lines,
    '',
  ].join('\n');
  const child = spawn(program, [...SMALL, '--bootstrap', `--datadir=${folder}`], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stdin.end(statements);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`mariadbd --bootstrap ended with ${code}: ${said.slice(-500)}`);
}

/** Starts a server with a copy of such a folder, and its number among those that replicate. */
export async function startMariaDb(
  program: string,
  made: string,
  { folder, port, id, args = [] }: { folder: string; port: number; id: number; args?: readonly string[] },
): Promise<MariaDb> {
  await cp(made, join(folder, 'data'), { recursive: true });
  const server = await startProcess({
    name: `mariadb-${port}`,
    command: program,
    args: [
      ...SMALL,
      '--bind-address=127.0.0.1',
      '--skip-name-resolve',
      `--datadir=${join(folder, 'data')}`,
      `--socket=${join(folder, 'socket')}`,
      `--pid-file=${join(folder, 'pid')}`,
      `--port=${port}`,
      `--server-id=${id}`,
      '--log-bin=bin',
      ...args,
    ],
    cwd: folder,
    logFile: join(folder, 'mariadb.log'),
  });
  const query = async (...statements: string[]): Promise<Record<string, unknown>[]> => {
    const connection = await mysql.createConnection({ host: '127.0.0.1', port, user: 'root' });
    try {
      let rows: unknown;
      for (const statement of statements) [rows] = await connection.query(statement);
      return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
    } finally {
      await connection.end();
    }
  };
  const answers = (): Promise<boolean> =>
    query('SELECT 1').then(
      () => true,
      () => false,
    );
  await waitFor('MariaDB', answers, { timeoutMs: 60_000, intervalMs: 25, process: server });
  return { port, process: server, query, close: () => server.stop(10_000) };
}

/** Makes the database and the user of Druid. */
export async function makeDatabase({ query, port }: MariaDb): Promise<string> {
  await query(
    'CREATE DATABASE druid CHARACTER SET utf8mb4',
    `CREATE USER druid@'%' IDENTIFIED BY '${PASSWORD}'`,
    "GRANT ALL ON druid.* TO druid@'%'",
    "CREATE USER follower@'%' IDENTIFIED BY 'follower'",
    "GRANT REPLICATION SLAVE ON *.* TO follower@'%'",
  );
  return `mysql://druid:${PASSWORD}@127.0.0.1:${port}/druid`;
}

/** Has a server follow another one, and waits until it does. */
export async function follow(replica: MariaDb, source: MariaDb): Promise<void> {
  await replica.query(
    `CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${source.port}, MASTER_USER='follower',
      MASTER_PASSWORD='follower', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1`,
    'START SLAVE',
  );
  const follows = async (): Promise<boolean> => {
    const [row] = await replica.query('SHOW SLAVE STATUS');
    return row?.Slave_IO_Running === 'Yes' && row.Slave_SQL_Running === 'Yes';
  };
  await waitFor('the replica', follows, { timeoutMs: 30_000, intervalMs: 25, process: replica.process });
}
