/** The two protocols; MariaDB and what is compatible speak one of them. */
export type StoreKind = 'postgresql' | 'mysql';

/** What the servers of a metadata store say of themselves. Texts of servers are untrusted. */
export interface StoreFacts {
  readonly kind: StoreKind;
  readonly database: string;
  readonly servers: readonly StoreServerFacts[];
  /** When they were asked, in epoch milliseconds. */
  readonly askedAt: number;
}

/** One server, asked by itself. */
export interface StoreServerFacts {
  /** `host:port`, as the caller named it. */
  readonly name: string;
  /** Null where it could not be asked; then `problem` says why. */
  readonly state: StoreState | null;
  readonly problem: StoreProblem | null;
}

/** Why a server could not be asked, in words of our own: those of a driver or a server may hold a secret. */
export interface StoreProblem {
  readonly kind: 'silent' | 'unreachable' | 'tls' | 'login' | 'database' | 'full' | 'starting' | 'other';
  readonly text: string;
}

export interface StoreState {
  /** `PostgreSQL`, `MySQL`, `MariaDB`, or the name of what is compatible with one of them. */
  readonly product: string;
  /** Its numbers only: `15.8`. Empty where it does not say. */
  readonly version: string;
  /** Who runs it, where it shows: `Amazon RDS`. */
  readonly managed: string | null;
  /** Equal for all servers of one store and no others; null where it is not told. */
  readonly identity: string | null;
  /** Equal for two names of one server; null where it is not told. */
  readonly instance: string | null;
  readonly takesWrites: boolean;
  /** The encoding of the database, as the server calls it. */
  readonly charset: string;
  readonly tables: readonly StoreTable[];
  /** Addresses that have a connection to the database. Null where it may not be seen. */
  readonly clients: readonly string[] | null;
  readonly connections: { readonly used: number; readonly most: number } | null;
  /** Who follows this server; null where that may not be seen. */
  readonly replicas: readonly Replica[] | null;
  /** Whom this server follows; null where it follows nobody, or may not say (`upstreamHidden`). */
  readonly upstream: Upstream | null;
  readonly upstreamHidden: boolean;
  /** How a write is acknowledged. */
  readonly commit: Commit;
  /** Null where it is in no group of servers that agree on writes. */
  readonly group: Group | null;
  /** Programs that make a replica the primary and have a connection here. */
  readonly managers: readonly string[];
  /** The address that the server itself has, where a proxy or a translation of addresses is in between; else null. */
  readonly behind: string | null;
}

export interface StoreTable {
  /** Empty for MySQL, where a database has no schemas. */
  readonly schema: string;
  readonly name: string;
}

export interface Replica {
  /** Its name or its address. */
  readonly name: string;
  /** `streaming` or another state, as the server calls it. Null where it may not be seen. */
  readonly state: string | null;
  /** Whether the primary waits for it. */
  readonly synchronous: boolean;
  /** How far it is behind, in ms; null where that is not told, or there is nothing to be behind with. */
  readonly lagMs: number | null;
}

export interface Upstream {
  /** `host:port`; null where it may not be seen. */
  readonly from: string | null;
  /** Null where it may not be seen. */
  readonly running: boolean | null;
  readonly lagMs: number | null;
  /** What is wrong with it, in words of our own; empty if nothing. */
  readonly detail: string;
}

export type Commit =
  /** PostgreSQL: `synchronous_standby_names` and `synchronous_commit`. */
  | { readonly kind: 'standbys'; readonly names: string; readonly level: string }
  /** MySQL and MariaDB: semi-synchronous replication; `clients` are replicas that acknowledge. */
  | { readonly kind: 'semi-synchronous'; readonly on: boolean; readonly clients: number }
  | { readonly kind: 'unknown' };

/** Group Replication or Galera. */
export interface Group {
  readonly kind: 'Group Replication' | 'Galera';
  /** Whether this server is in the part that has the majority. */
  readonly quorum: boolean;
  readonly multiPrimary: boolean;
  /** How many members it has. */
  readonly size: number;
  /** Members that are not as they should be, each with its state. */
  readonly unwell: readonly string[];
}
