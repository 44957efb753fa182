import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startProxy, type TcpProxy } from '../../test/kit/net/tcp-proxy.ts';
import { freePorts } from '../../tools/druid-cluster/ports.ts';
import {
  type PostgresqlServer,
  startPostgresql,
  startStandby,
} from '../../tools/druid-cluster/postgresql-server.ts';

/** One of the two servers, at a port and behind a link that both stay when it is made anew. */
interface Seat {
  readonly name: string;
  readonly port: number;
  /** Clients come through it, so that they can be cut off; replication does not. */
  readonly link: TcpProxy;
  server: PostgresqlServer | null;
}

export interface PairOptions {
  /** Holds the data of both. */
  readonly folder: string;
  /** Off, a machine that is lost itself loses data, and the start is faster: for tests. */
  readonly fsync?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * A PostgreSQL primary and its synchronous standby, with what a cluster manager such as Patroni does: to fence a
 * primary, to promote the standby, to make a new standby, and to let the primary go on without one.
 */
export class PostgresqlPair {
  readonly #options: PairOptions;
  readonly #seats: readonly [Seat, Seat];
  #primary: Seat;

  private constructor(options: PairOptions, seats: readonly [Seat, Seat]) {
    this.#options = options;
    this.#seats = seats;
    this.#primary = seats[0];
  }

  /** Starts both, and waits until the standby has all that the primary acknowledges. */
  static async start(options: PairOptions): Promise<PostgresqlPair> {
    const [first = 0, second = 0] = await freePorts(2);
    const seats = [await seat('postgresql-1', first), await seat('postgresql-2', second)] as const;
    const pair = new PostgresqlPair(options, seats);
    try {
      await pair.#start();
      return pair;
    } catch (error) {
      await pair.close();
      throw error;
    }
  }

  /** What Druid connects to: both servers, of which the driver takes the primary. */
  get jdbcUrl(): string {
    const hosts = this.#seats.map(({ link }) => `127.0.0.1:${link.port}`).join(',');
    return `jdbc:postgresql://${hosts}/druid?${JDBC_SETTINGS}`;
  }

  get credentials(): { readonly user: string; readonly password: string } {
    const { username, password } = new URL(serverOf(this.#primary).url);
    return { user: username, password };
  }

  /** `postgresql-1`: the server that takes writes. */
  get primaryName(): string {
    return this.#primary.name;
  }

  get standbyName(): string {
    return this.#standby.name;
  }

  /** For people: which is which, and where. */
  describe(): string {
    const where = (seat: Seat): string =>
      `${seat.name} on port ${seat.port} is process ${seat.server?.process.pid ?? 'none'}`;
    return `${where(this.#primary)} and the primary, ${where(this.#standby)} and the standby`;
  }

  /** From now on no byte passes between clients and the primary, and nobody is told. */
  cutPrimaryOff(): void {
    this.#primary.link.stall();
  }

  /** A machine is lost. */
  async killPrimary(): Promise<void> {
    await this.#end(this.#primary);
  }

  /** Ends the primary for good, so that it cannot take a write that the next one does not know, and promotes the standby. */
  async failOver(): Promise<void> {
    const old = this.#primary;
    const next = this.#standby;
    await this.#end(old);
    await serverOf(next).promote();
    this.#primary = next;
    old.link.flow();
  }

  /** Ends the standby. Until `releasePrimary` or `repair` the primary's writes wait for it. */
  async killStandby(): Promise<void> {
    await this.#end(this.#standby);
  }

  /** Lets the primary acknowledge writes without a standby. */
  async releasePrimary(): Promise<void> {
    await asSuperuser(serverOf(this.#primary), [
      "ALTER SYSTEM SET synchronous_standby_names = ''",
      'SELECT pg_reload_conf()',
    ]);
  }

  /** Makes it a pair again: promotes the standby if there is no primary, then makes a new standby, which is waited for. */
  async repair(): Promise<void> {
    if (this.#primary.server === null) await this.failOver();
    this.#primary.link.flow();
    if (this.#standby.server === null) await this.#rebuildStandby();
  }

  /** The primary waits for the new one with each write. */
  async #rebuildStandby(): Promise<void> {
    const { name, port } = this.#standby;
    const folder = join(this.#options.folder, name);
    await rm(folder, { recursive: true, force: true });
    this.#standby.server = await startStandby({
      folder,
      port,
      primary: serverOf(this.#primary),
      synchronous: true,
      ...this.#common,
    });
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#seats.map(async (one) => {
        await this.#end(one);
        await one.link.close();
      }),
    );
  }

  get #standby(): Seat {
    const [first, second] = this.#seats;
    return this.#primary === first ? second : first;
  }

  get #common(): Omit<PairOptions, 'folder'> {
    const { folder, ...common } = this.#options;
    return common;
  }

  async #start(): Promise<void> {
    const { name, port } = this.#primary;
    this.#primary.server = await startPostgresql({
      folder: join(this.#options.folder, name),
      port,
      ...this.#common,
    });
    await this.#rebuildStandby();
  }

  async #end(one: Seat): Promise<void> {
    const { server } = one;
    one.server = null;
    await server?.kill('SIGKILL');
    await server?.process.ended;
  }
}

/**
 * Druid's pool checks each connection before it is used, so a lost server costs no more than the driver's time limits
 * (in seconds). The driver must not remember for long which server was the standby (10 s by default).
 */
const JDBC_SETTINGS = [
  'targetServerType=primary',
  'hostRecheckSeconds=1',
  'connectTimeout=2',
  'loginTimeout=3',
  'socketTimeout=10',
].join('&');

async function seat(name: string, port: number): Promise<Seat> {
  return { name, port, link: await startProxy(port), server: null };
}

function serverOf({ name, server }: Seat): PostgresqlServer {
  if (server === null) throw new Error(`${name} has ended`);
  return server;
}

async function asSuperuser({ superuserUrl }: PostgresqlServer, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: superuserUrl, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end().catch(() => {});
  }
}
