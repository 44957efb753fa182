import type pg from 'pg';
import {
  boundedSocket,
  CONNECT_MS,
  QUERY_MS,
  type StoreAddress,
  type StoreConnection,
  type StoreTls,
  withTls,
} from './connect-store.ts';
import { isOn, MOST_ROWS, msOf, numberOf, type Row, textOf } from './rows.ts';
import type { Replica, StoreState, Upstream } from './store-facts.ts';
import type { StoreTarget } from './store-target.ts';

/** PostgreSQL 10 renamed what is asked for here (`pg_xlog_*`), and is out of support itself. */
const OLDEST_ASKED = 100_000;
/** Its `state` while it copies the database: that is no replica yet. */
const BACKUP = 'backup';

const BASICS = `SELECT pg_is_in_recovery() AS standby,
  current_setting('server_version') AS version,
  current_setting('server_version_num') AS number,
  current_setting('default_transaction_read_only') AS read_only,
  current_setting('synchronous_standby_names') AS names,
  current_setting('synchronous_commit') AS level,
  (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()) AS charset,
  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
  (SELECT sum(numbackends)::int FROM pg_stat_database) AS used,
  extract(epoch FROM pg_postmaster_start_time())::text AS started,
  host(inet_server_addr()) AS address, inet_server_port() AS port, inet_client_port() AS client_port`;
const PRIVILEGED = "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS told";
const IDENTITY = 'SELECT system_identifier::text AS id FROM pg_control_system()';
const TABLES = `SELECT schemaname AS schema, tablename AS name FROM pg_catalog.pg_tables
  WHERE schemaname !~ '^(pg_|information_schema)' AND tablename ~* '_(segments|rules|config|datasource|pendingsegments|tasks|tasklocks|audit|supervisors)$'
  ORDER BY 1, 2 LIMIT ${MOST_ROWS}`;
const CLIENTS = `SELECT DISTINCT coalesce(host(client_addr), '') AS address FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() LIMIT ${MOST_ROWS}`;
/** Senders of logical replication are no replicas of the server. */
const REPLICAS = `SELECT application_name AS name, coalesce(host(client_addr), '') AS address, state, sync_state,
  extract(epoch FROM replay_lag)::float8 AS lag
  FROM pg_stat_replication WHERE pid NOT IN
  (SELECT active_pid FROM pg_replication_slots WHERE slot_type = 'logical' AND active_pid IS NOT NULL)
  LIMIT ${MOST_ROWS}`;
/** The time since the last replayed transaction means nothing while there is nothing to replay. */
const UPSTREAM = `SELECT pid, status, sender_host AS host, sender_port AS port, pg_is_wal_replay_paused() AS paused,
  CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
  ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float8 END AS lag
  FROM (SELECT 1) AS one LEFT JOIN pg_stat_wal_receiver ON true`;
const MANAGERS = `SELECT DISTINCT application_name AS name FROM pg_stat_activity
  WHERE application_name ~* '^(patroni|pg_auto_failover|repmgrd?|stolon|pg_autoctl|cloudnative-pg|cnpg)' LIMIT 20`;
/** Roles and functions that only the services of these names have. */
const MANAGED = `SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_proc WHERE proname = 'aurora_version') THEN 'Amazon Aurora'
  ELSE (SELECT rolname FROM pg_roles WHERE rolname IN
  ('rds_superuser', 'alloydbsuperuser', 'cloudsqlsuperuser', 'azure_pg_admin') ORDER BY rolname LIMIT 1) END AS name`;
const MANAGED_NAMES: Readonly<Record<string, string>> = {
  rds_superuser: 'Amazon RDS',
  alloydbsuperuser: 'Google AlloyDB',
  cloudsqlsuperuser: 'Google Cloud SQL',
  azure_pg_admin: 'Azure Database for PostgreSQL',
};

/** Asks one PostgreSQL server. It reads only. Rejects with the driver's error where the server cannot be asked. */
export async function askPostgresql(target: StoreTarget, address: StoreAddress): Promise<StoreState> {
  const { default: driver } = await import('pg');
  const hasNoTls = (error: unknown): boolean => /does not support SSL/.test(String(error));
  const connection = await withTls(target, address, hasNoTls, (tls) =>
    openConnection(driver, target, address, tls),
  );
  try {
    return await new PostgresqlQuestions(connection).all();
  } finally {
    connection.end();
  }
}

async function openConnection(
  driver: typeof pg,
  { database, user, password }: StoreTarget,
  address: StoreAddress,
  tls: StoreTls | null,
): Promise<StoreConnection> {
  const socket = boundedSocket();
  const client = new driver.Client({
    ...address,
    database,
    user,
    ...(password === null ? {} : { password }),
    application_name: 'druid-gateway doctor',
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS + 500,
    ssl:
      tls === null ? false : { ...tls, ...(tls.checksName ? {} : { checkServerIdentity: () => undefined }) },
    stream: () => socket,
  });
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return {
    localPort: socket.localPort,
    end: () => socket.destroy(),
    rows: async (sql) => {
      // No setting of the session: through a pooler it would go on with the connection, to somebody who writes.
      const text = `BEGIN READ ONLY; SET LOCAL statement_timeout = ${QUERY_MS}; ${sql}; ROLLBACK`;
      try {
        const results: unknown = await client.query(text);
        const rows = Array.isArray(results)
          ? (results[2] as { readonly rows?: unknown } | undefined)?.rows
          : [];
        return Array.isArray(rows) ? rows.slice(0, MOST_ROWS).map((row) => row as Row) : [];
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {});
        throw error;
      }
    },
  };
}

/** The questions to one server, one after the other. Only the first has to be answered. */
class PostgresqlQuestions {
  readonly #connection: StoreConnection;

  constructor(connection: StoreConnection) {
    this.#connection = connection;
  }

  async all(): Promise<StoreState> {
    const [row] = await this.#connection.rows('SELECT version() AS text');
    const product = productOf(textOf(row, 'text'));
    const [basics] = (await this.#try(BASICS)) ?? [];
    const standby = isOn(basics, 'standby');
    const isAsked = (numberOf(basics, 'number') ?? 0) >= OLDEST_ASKED;
    const told = isAsked && isOn((await this.#try(PRIVILEGED))?.[0], 'told');
    const id = isAsked ? textOf((await this.#try(IDENTITY))?.[0], 'id') : '';
    const used = numberOf(basics, 'used');
    const most = numberOf(basics, 'most');
    return {
      product,
      version: textOf(basics, 'version').replace(/[^\d.].*$/s, ''),
      managed: await this.#managed(),
      identity: id === '' ? null : id,
      instance: id === '' ? null : `${id} ${textOf(basics, 'started')} ${textOf(basics, 'port')}`,
      takesWrites: basics !== undefined && !standby && !isOn(basics, 'read_only'),
      charset: textOf(basics, 'charset'),
      tables: ((await this.#try(TABLES)) ?? []).map((table) => ({
        schema: textOf(table, 'schema'),
        name: textOf(table, 'name'),
      })),
      clients: await this.#clients(told),
      connections: used === null || most === null ? null : { used, most },
      replicas: isAsked ? await this.#replicas(told) : null,
      upstream: standby && isAsked ? await this.#upstream(told) : null,
      upstreamHidden: standby && !isAsked,
      commit:
        basics === undefined
          ? { kind: 'unknown' }
          : { kind: 'standbys', names: textOf(basics, 'names'), level: textOf(basics, 'level') },
      group: null,
      managers: ((await this.#try(MANAGERS)) ?? []).map((manager) => textOf(manager, 'name')),
      behind: this.#behind(basics),
    };
  }

  /** Null where the server does not answer the question: it is of another version, or forbids it. */
  async #try(sql: string): Promise<Row[] | null> {
    try {
      return await this.#connection.rows(sql);
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      // Without a state of SQL the connection itself is at fault, and no other question helps.
      if (typeof code !== 'string' || !/^[\dA-Z]{5}$/.test(code)) throw error;
      return null;
    }
  }

  async #managed(): Promise<string | null> {
    const name = textOf((await this.#try(MANAGED))?.[0], 'name');
    return name === '' ? null : (MANAGED_NAMES[name] ?? name);
  }

  /** Addresses of other users' connections are hidden without the privilege, those of this user's own are not. */
  async #clients(told: boolean): Promise<readonly string[] | null> {
    const rows = await this.#try(CLIENTS);
    const addresses = (rows ?? []).map((row) => textOf(row, 'address')).filter((address) => address !== '');
    return rows === null || (!told && addresses.length === 0) ? null : addresses;
  }

  async #replicas(told: boolean): Promise<readonly Replica[] | null> {
    const rows = await this.#try(REPLICAS);
    if (rows === null) return null;
    return rows
      .filter((row) => textOf(row, 'state') !== BACKUP)
      .map((row) => {
        const state = textOf(row, 'state');
        return {
          name: [textOf(row, 'name'), textOf(row, 'address')].filter((text) => text !== '').join(' at '),
          state: told && state !== '' ? state : null,
          synchronous: /^(?:sync|quorum)$/.test(textOf(row, 'sync_state')),
          lagMs: msOf(row, 'lag'),
        };
      });
  }

  async #upstream(told: boolean): Promise<Upstream | null> {
    const [row] = (await this.#try(UPSTREAM)) ?? [];
    const status = textOf(row, 'status');
    const host = textOf(row, 'host');
    return {
      from: host === '' ? null : `${host}:${textOf(row, 'port')}`,
      // Without the privilege only its process is seen, and none means that nothing is received.
      running: told || textOf(row, 'pid') === '' ? status === 'streaming' : null,
      lagMs: msOf(row, 'lag'),
      detail: isOn(row, 'paused') ? 'its replay is paused' : '',
    };
  }

  /** The server sees another port of ours than the socket has where something connects on our behalf. */
  #behind(basics: Row | undefined): string | null {
    const port = numberOf(basics, 'client_port');
    const { localPort } = this.#connection;
    if (port === null || localPort === undefined || port === localPort) return null;
    return `${textOf(basics, 'address')}:${textOf(basics, 'port')}`;
  }
}

/** `PostgreSQL 15.8 on x86_64...`, `CockroachDB CCL v24...`, `PostgreSQL 11.2-YB-2.19...`. */
function productOf(text: string): string {
  if (/-YB-/.test(text)) return 'YugabyteDB';
  return /^([A-Za-z]{1,40})/.exec(text)?.[1] ?? 'an unknown server';
}
