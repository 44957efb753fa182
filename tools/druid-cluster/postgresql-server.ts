import { randomBytes } from 'node:crypto';
import { access, appendFile, chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { type ManagedProcess, type Owner, startProcess } from './managed-process.ts';
import { makeFolderFor, needPostgresql, runProgram, serverOwner } from './postgresql-programs.ts';
import { waitFor } from './wait.ts';

export { findPostgresql } from './postgresql-programs.ts';

/** A PostgreSQL server on loopback with a database `druid` (UTF-8) that belongs to the user `druid`. */
export interface PostgresqlServer {
  readonly port: number;
  /** `postgresql://druid:PASSWORD@127.0.0.1:PORT/druid`. */
  readonly url: string;
  /** The same database for `postgres`, who may do everything. */
  readonly superuserUrl: string;
  readonly process: ManagedProcess;
  /** Makes a standby the primary, which then waits for no standby. Resolves when it takes writes. */
  promote(): Promise<void>;
  /** Sends a signal to the server and all its processes: with SIGKILL a machine is lost, with SIGSTOP it hangs. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends it, and its clients' connections with it. The folder stays, and can be started again. */
  close(): Promise<void>;
}

export interface PostgresqlOptions {
  /** For data, password and log; made if need be. What another run left in it is started again. */
  readonly folder: string;
  readonly port: number;
  /** Off, a lost machine loses data, and the start is faster: for tests. */
  readonly fsync?: boolean;
  readonly signal?: AbortSignal;
}

export interface StandbyOptions extends PostgresqlOptions {
  readonly primary: PostgresqlServer;
  /** Whether the primary acknowledges a write only when this standby has it. */
  readonly synchronous?: boolean;
}

const DATABASE = 'druid';
const SUPERUSER = 'postgres';
const START_MS = 60_000;

/** Passwords for all that comes by TCP, and nothing else to come by. */
const CONFIG = [
  "listen_addresses = '127.0.0.1'",
  "unix_socket_directories = ''",
  'wal_level = replica',
  'max_wal_senders = 10',
  'max_connections = 100',
  'shared_buffers = 32MB',
  // Beside the data, so that nothing is left of a server that is killed.
  'dynamic_shared_memory_type = mmap',
  '',
].join('\n');
const ACCESS = [
  'host all all 127.0.0.1/32 scram-sha-256',
  'host replication all 127.0.0.1/32 scram-sha-256',
  '',
].join('\n');

interface Place {
  readonly programs: string;
  readonly owner: Owner | undefined;
  readonly options: PostgresqlOptions;
  readonly data: string;
}

/**
 * Starts a PostgreSQL server on loopback and waits until it answers. In a new folder it makes the user and the database
 * of Druid. Rejects with `MissingTool` where there is no PostgreSQL.
 */
export async function startPostgresql(options: PostgresqlOptions): Promise<PostgresqlServer> {
  const place = await preparePlace(options);
  const { programs, owner, data } = place;
  const isNew = !(await exists(join(data, 'PG_VERSION')));
  if (isNew) {
    const passwordFile = await writePassword(place, randomBytes(16).toString('hex'));
    const args = [
      '-D',
      data,
      '-U',
      SUPERUSER,
      '-E',
      'UTF8',
      '--locale=C',
      '-A',
      'scram-sha-256',
      '--no-instructions',
    ];
    if (options.fsync === false) args.push('--no-sync');
    await runProgram(join(programs, 'initdb'), [...args, `--pwfile=${passwordFile}`], {
      cwd: options.folder,
      owner,
    });
    await appendFile(join(data, 'postgresql.conf'), CONFIG);
    await writeFile(join(data, 'pg_hba.conf'), ACCESS);
  }
  const password = await readFile(join(options.folder, 'password'), 'utf8');
  const server = await startServer(place, password, isNew ? 'postgres' : DATABASE);
  if (!isNew) return server;
  try {
    await query(urlOf(options.port, SUPERUSER, password, 'postgres'), [
      `CREATE ROLE ${DATABASE} LOGIN PASSWORD '${password}'`,
      `CREATE DATABASE ${DATABASE} OWNER ${DATABASE} ENCODING 'UTF8'`,
    ]);
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** Starts a standby of a primary and waits until it follows it; if synchronous, until the primary waits for it. */
export async function startStandby(options: StandbyOptions): Promise<PostgresqlServer> {
  const { primary, synchronous = false, port } = options;
  const place = await preparePlace(options);
  const { programs, owner, data } = place;
  const name = `standby_${port}`;
  if (!(await exists(join(data, 'PG_VERSION')))) {
    const { password, port: primaryPort } = new URL(primary.superuserUrl);
    await writePassword(place, password);
    const from = `host=127.0.0.1 port=${primaryPort} user=${SUPERUSER} application_name=${name}`;
    const args = ['-D', data, '-d', from, '-R', '-X', 'stream', '-c', 'fast'];
    if (options.fsync === false) args.push('--no-sync');
    const env = { PGPASSWORD: password };
    await runProgram(join(programs, 'pg_basebackup'), args, { cwd: options.folder, owner, env });
    // The copy has the primary's own settings.
    await appendFile(join(data, 'postgresql.auto.conf'), "synchronous_standby_names = ''\n");
  }
  const password = await readFile(join(options.folder, 'password'), 'utf8');
  const server = await startServer(place, password, DATABASE);
  try {
    if (synchronous) await waitForStandby(primary, name);
    await waitFor(`${name} to follow its primary`, () => follows(primary, name, synchronous), {
      timeoutMs: START_MS,
      intervalMs: 25,
      process: server.process,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

async function preparePlace(options: PostgresqlOptions): Promise<Place> {
  const [programs, owner] = await Promise.all([needPostgresql(), serverOwner()]);
  await makeFolderFor(owner, options.folder);
  return { programs, owner, options, data: join(options.folder, 'data') };
}

/** Keeps the password for the next start. */
async function writePassword({ options, owner }: Place, password: string): Promise<string> {
  const file = join(options.folder, 'password');
  await writeFile(file, password, { mode: 0o600 });
  if (owner !== undefined) await chown(file, owner.uid, owner.gid);
  return file;
}

async function startServer(place: Place, password: string, database: string): Promise<PostgresqlServer> {
  const { programs, owner, options, data } = place;
  const { folder, port, fsync = true, signal } = options;
  const server = await startProcess({
    name: `postgresql-${port}`,
    command: join(programs, 'postgres'),
    args: [
      '-D',
      data,
      '-p',
      String(port),
      ...(fsync ? [] : ['-c', 'fsync=off', '-c', 'full_page_writes=off']),
    ],
    cwd: folder,
    logFile: join(folder, 'postgresql.log'),
    ...(owner === undefined ? {} : { owner }),
  });
  try {
    await waitFor('PostgreSQL', () => answers(urlOf(port, SUPERUSER, password, database)), {
      timeoutMs: START_MS,
      intervalMs: 25,
      process: server,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    server.kill('SIGKILL');
    throw error;
  }
  const superuserUrl = urlOf(port, SUPERUSER, password, DATABASE);
  return {
    port,
    url: urlOf(port, DATABASE, password, DATABASE),
    superuserUrl,
    process: server,
    promote: async () => {
      await query(superuserUrl, [
        "ALTER SYSTEM SET synchronous_standby_names = ''",
        'SELECT pg_reload_conf()',
      ]);
      await query(superuserUrl, ['SELECT pg_promote(true, 60)']);
    },
    kill: (wanted) => killAll(server, wanted),
    // SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients to leave.
    close: async () => {
      if (!server.running) return;
      await killAll(server, 'SIGCONT');
      server.kill('SIGINT');
      const timer = setTimeout(() => void killAll(server, 'SIGKILL'), 10_000);
      await server.ended;
      clearTimeout(timer);
    },
  };
}

/** The postmaster first, so that it starts no more of its own, which are in sessions of their own. */
async function killAll(server: ManagedProcess, signal: NodeJS.Signals): Promise<void> {
  if (!server.running) return;
  if (signal === 'SIGKILL') server.kill('SIGSTOP');
  const list = await readFile(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').catch(() => '');
  server.kill(signal);
  for (const pid of list.split(' ').filter((text) => text !== '')) {
    try {
      process.kill(Number(pid), signal);
    } catch {
      // It has just ended by itself.
    }
  }
}

async function waitForStandby(primary: PostgresqlServer, name: string): Promise<void> {
  await query(primary.superuserUrl, [
    `ALTER SYSTEM SET synchronous_standby_names = '${name}'`,
    'SELECT pg_reload_conf()',
  ]);
}

async function follows(primary: PostgresqlServer, name: string, synchronous: boolean): Promise<boolean> {
  const [row] = await query(primary.superuserUrl, [
    `SELECT state, sync_state FROM pg_stat_replication WHERE application_name = '${name}'`,
  ]);
  return row?.state === 'streaming' && (!synchronous || row.sync_state === 'sync');
}

/** Runs statements one after the other, each in its own transaction; the rows of the last. */
async function query(url: string, statements: readonly string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    query_timeout: START_MS,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) ({ rows } = await client.query<Record<string, unknown>>(statement));
    return rows;
  } finally {
    await client.end().catch(() => {});
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    await query(url, ['SELECT 1']);
    return true;
  } catch {
    return false;
  }
}

function urlOf(port: number, user: string, password: string, database: string): string {
  return `postgresql://${user}:${password}@127.0.0.1:${port}/${database}`;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
