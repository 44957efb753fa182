import type { ConnectionOptions, Connection as Driven } from 'mysql2';
import {
  boundedSocket,
  CONNECT_MS,
  QUERY_MS,
  type StoreAddress,
  type StoreConnection,
  type StoreTls,
  withTls,
} from './connect-store.ts';
import { groupOf } from './mysql-group.ts';
import { isOn, MOST_ROWS, numberOf, type Row, textOf } from './rows.ts';
import type { Replica, StoreState, Upstream } from './store-facts.ts';
import { StoreUnreachable } from './store-problem.ts';
import type { StoreTarget } from './store-target.ts';

const BASICS = `SELECT VERSION() AS version, @@version_comment AS comment, @@global.read_only AS read_only,
  @@character_set_database AS charset, @@global.max_connections AS most, @@port AS port, @@hostname AS name,
  @@server_id AS id, CONNECTION_ID() AS connection`;
const VARIABLES = `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid', 'aurora_version', 'basedir',
  'innodb_read_only')`;
const STATUS = `SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Uptime', 'wsrep_ready',
  'wsrep_cluster_size', 'wsrep_cluster_status', 'wsrep_cluster_state_uuid', 'wsrep_local_state_comment',
  'Rpl_semi_sync_master_status', 'Rpl_semi_sync_master_clients', 'Rpl_semi_sync_source_status',
  'Rpl_semi_sync_source_clients')`;
const TABLES = `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()
  AND LOWER(table_name) REGEXP '_(segments|rules|config|datasource|pendingsegments|tasks|tasklocks|audit|supervisors)$'
  ORDER BY 1 LIMIT ${MOST_ROWS}`;
const GROUP = 'SELECT * FROM performance_schema.replication_group_members LIMIT 50';
const PRIVILEGES = `SELECT privilege_type AS name FROM information_schema.user_privileges
  WHERE privilege_type IN ('PROCESS', 'SUPER') LIMIT 5`;
/** Of new servers first: MySQL 8.0.22 and MariaDB 10.5.1 have the words, MySQL 8.4 lacks the old ones. */
const UPSTREAM = ['SHOW REPLICA STATUS', 'SHOW SLAVE STATUS'] as const;
/** A replica tells its own name only with `report_host`; without, its connection shows. */
const REPLICAS = ['SHOW REPLICAS', 'SHOW REPLICA HOSTS', 'SHOW SLAVE HOSTS'] as const;

/** Asks one MySQL or MariaDB server. It reads only. Rejects with the driver's error where it cannot be asked. */
export async function askMysql(target: StoreTarget, address: StoreAddress): Promise<StoreState> {
  const driver = await import('mysql2');
  const hasNoTls = (error: unknown): boolean =>
    (error as { readonly code?: unknown } | null)?.code === 'HANDSHAKE_NO_SSL_SUPPORT';
  const open = (tls: StoreTls | null) => openConnection(driver.createConnection, target, address, tls);
  const connection = await withTls(target, address, hasNoTls, open);
  try {
    return await new MysqlQuestions(connection).all();
  } finally {
    connection.end();
  }
}

async function openConnection(
  create: (options: ConnectionOptions) => Driven,
  { database, user, password }: StoreTarget,
  address: StoreAddress,
  tls: StoreTls | null,
): Promise<StoreConnection> {
  const socket = boundedSocket().connect(address.port, address.host);
  const connection = create({
    user,
    database,
    ...(password === null ? {} : { password }),
    ...(tls === null ? {} : { ssl: sslOf(tls, address) }),
    stream: () => socket,
    connectTimeout: CONNECT_MS,
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
  });
  connection.on('error', () => {});
  try {
    await finished((done) => connection.connect(done), CONNECT_MS);
    await finished((done) => connection.query('START TRANSACTION READ ONLY', done), QUERY_MS);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return {
    localPort: socket.localPort,
    end: () => socket.destroy(),
    rows: async (sql) => {
      const rows = await finished<unknown>(
        (done) => connection.query({ sql, timeout: QUERY_MS }, done),
        QUERY_MS + 500,
      );
      return Array.isArray(rows) ? rows.slice(0, MOST_ROWS).map((row) => row as Row) : [];
    },
  };
}

function sslOf({ checksName, servername, ...context }: StoreTls, { host }: StoreAddress): object {
  return {
    ...context,
    verifyIdentity: checksName,
    ...(servername === undefined ? { host } : { servername }),
  };
}

/** Rejects, too, when nobody calls back within `ms`. */
function finished<T>(
  start: (done: (error: unknown, value?: T) => void) => void,
  ms: number,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const silent = new StoreUnreachable({ kind: 'silent', text: 'does not answer' });
    const timer = setTimeout(() => reject(silent), ms);
    start((error, value) => {
      clearTimeout(timer);
      if (error === null || error === undefined) resolve(value);
      else reject(error);
    });
  });
}

/** The questions to one server, one after the other. Only the first has to be answered. */
class MysqlQuestions {
  readonly #connection: StoreConnection;

  constructor(connection: StoreConnection) {
    this.#connection = connection;
  }

  async all(): Promise<StoreState> {
    const [basics] = await this.#connection.rows(BASICS);
    const status = named(await this.#try(STATUS));
    const variables = named(await this.#try(VARIABLES));
    const { product, version } = productOf(textOf(basics, 'version'), textOf(basics, 'comment'));
    const told = ((await this.#try(PRIVILEGES)) ?? []).length > 0;
    const processes = await this.#try('SHOW PROCESSLIST');
    const upstreams = await this.#firstOf(UPSTREAM);
    const group = groupOf(status, (await this.#try(GROUP)) ?? []);
    const database = textOf((await this.#try('SELECT DATABASE() AS name'))?.[0], 'name');
    const used = numberOf(status, 'Threads_connected');
    const most = numberOf(basics, 'most');
    const uuid = textOf(variables, 'server_uuid') || textOf(variables, 'server_uid');
    const instance = uuid || `${textOf(basics, 'name')}:${textOf(basics, 'port')} ${textOf(basics, 'id')}`;
    return {
      product,
      version,
      managed: managedBy(textOf(basics, 'version'), textOf(basics, 'comment'), variables),
      identity: textOf(status, 'wsrep_cluster_state_uuid') || null,
      instance,
      takesWrites: basics !== undefined && !isOn(basics, 'read_only') && !isOn(variables, 'innodb_read_only'),
      charset: textOf(basics, 'charset'),
      tables: ((await this.#try(TABLES)) ?? []).map((row) => ({ schema: '', name: textOf(row, 'name') })),
      clients: clientsOf(processes, database, textOf(basics, 'connection')),
      connections: used === null || most === null ? null : { used, most },
      replicas: await this.#replicas(processes, told),
      upstream: upstreams === null ? null : upstreamOf(upstreams[0]),
      upstreamHidden: upstreams === null,
      commit: commitOf(status),
      group,
      managers: [],
      behind: this.#behind(basics, processes),
    };
  }

  /** Null where the server does not answer the question: it is of another version, or forbids it. */
  async #try(sql: string): Promise<Row[] | null> {
    try {
      return await this.#connection.rows(sql);
    } catch (error) {
      const { sqlState } = error as { readonly sqlState?: unknown };
      // Without a state of SQL the connection itself is at fault, and no other question helps.
      if (typeof sqlState !== 'string') throw error;
      return null;
    }
  }

  async #firstOf(questions: readonly string[]): Promise<Row[] | null> {
    for (const question of questions) {
      const rows = await this.#try(question);
      if (rows !== null) return rows;
    }
    return null;
  }

  /** Replicas that registered, and connections that are sent the binary log. */
  async #replicas(processes: readonly Row[] | null, told: boolean): Promise<readonly Replica[] | null> {
    const registered = await this.#firstOf(REPLICAS);
    const dumps = (processes ?? []).filter((row) => /^Binlog Dump/.test(textOf(row, 'Command')));
    if (registered === null && !told) return null;
    const names = (registered ?? []).map((row) => {
      const host = textOf(row, 'Host');
      return host === ''
        ? `server ${textOf(row, 'Server_Id') || textOf(row, 'Server_id')}`
        : `${host}:${textOf(row, 'Port')}`;
    });
    if (dumps.length <= names.length) return names.map(streamingReplica);
    return dumps.map((row) => streamingReplica(textOf(row, 'Host')));
  }

  #behind(basics: Row | undefined, processes: readonly Row[] | null): string | null {
    const own = (processes ?? []).find((row) => textOf(row, 'Id') === textOf(basics, 'connection'));
    const port = /:(\d+)$/.exec(textOf(own, 'Host'))?.[1];
    const { localPort } = this.#connection;
    if (port === undefined || localPort === undefined || Number(port) === localPort) return null;
    return `${textOf(basics, 'name')}:${textOf(basics, 'port')}`;
  }
}

/** The source does not know how far a replica is. */
function streamingReplica(name: string): Replica {
  return { name, state: 'streaming', synchronous: false, lagMs: null };
}

/** `SHOW STATUS` and `SHOW VARIABLES` as one row. */
function named(rows: readonly Row[] | null): Row {
  return Object.fromEntries((rows ?? []).map((row) => [textOf(row, 'Variable_name'), textOf(row, 'Value')]));
}

/** `8.0.36`, `10.11.8-MariaDB-1`, `5.5.5-10.4.32-MariaDB`, `8.0.11-TiDB-v7.5.0`. */
function productOf(text: string, comment: string): { product: string; version: string } {
  const numbers = text.replace(/^5\.5\.5-(?=\d+\.\d+\.\d+-MariaDB)/, '');
  const version = /^\d+(?:\.\d+){1,3}/.exec(numbers)?.[0] ?? '';
  if (/TiDB/i.test(text))
    return { product: 'TiDB', version: /TiDB-v?(\d+(?:\.\d+){1,3})/i.exec(text)?.[1] ?? '' };
  if (/vitess/i.test(text)) return { product: 'Vitess', version };
  return { product: /mariadb/i.test(text + comment) ? 'MariaDB' : 'MySQL', version };
}

function managedBy(version: string, comment: string, variables: Row): string | null {
  if (textOf(variables, 'aurora_version') !== '') return 'Amazon Aurora';
  if (textOf(variables, 'basedir').startsWith('/rdsdbbin')) return 'Amazon RDS';
  if (/-google/i.test(version)) return 'Google Cloud SQL';
  return /azure/i.test(version + comment) ? 'Azure Database for MySQL' : null;
}

/** Hosts of connections to the database, except this one. Without the privilege only this user's own are listed. */
function clientsOf(
  processes: readonly Row[] | null,
  database: string,
  own: string,
): readonly string[] | null {
  if (processes === null) return null;
  const hosts = processes
    .filter((row) => textOf(row, 'db') === database && textOf(row, 'Id') !== own)
    .map((row) => textOf(row, 'Host').replace(/:\d+$/, ''));
  return [...new Set(hosts)].filter((host) => host !== '');
}

/** Names of columns of MySQL 8.0.22 and later, and of all before and of MariaDB. */
function upstreamOf(row: Row | undefined): Upstream | null {
  if (row === undefined) return null;
  const either = (first: string, second: string): string => textOf(row, first) || textOf(row, second);
  const host = either('Source_Host', 'Master_Host');
  const reads = either('Replica_IO_Running', 'Slave_IO_Running');
  const applies = either('Replica_SQL_Running', 'Slave_SQL_Running');
  const lag = numberOf(row, 'Seconds_Behind_Source') ?? numberOf(row, 'Seconds_Behind_Master');
  const errors = ['Last_IO_Errno', 'Last_SQL_Errno']
    .map((column) => textOf(row, column))
    .filter((code) => /^[1-9]\d{0,5}$/.test(code));
  return {
    from: host === '' ? null : `${host}:${either('Source_Port', 'Master_Port')}`,
    running: reads === 'Yes' && applies === 'Yes',
    lagMs: lag === null ? null : Math.max(0, lag * 1_000),
    detail: errors.length === 0 ? '' : `its error is ${errors.join(', ')}`,
  };
}

/** Called `master` until MySQL 8.0.26, and in MariaDB. */
function commitOf(status: Row): StoreState['commit'] {
  const on = isOn(status, 'Rpl_semi_sync_source_status') || isOn(status, 'Rpl_semi_sync_master_status');
  const clients =
    numberOf(status, 'Rpl_semi_sync_source_clients') ?? numberOf(status, 'Rpl_semi_sync_master_clients') ?? 0;
  return { kind: 'semi-synchronous', on, clients };
}
