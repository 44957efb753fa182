import type { StoreKind } from './store-facts.ts';
import { StoreUrlError, splitStoreUrl } from './store-url.ts';

/** How a connection is encrypted, by libpq's names of `sslmode`; its `allow` is taken for `prefer`. */
export type TlsMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** Servers to ask, and how to get in. */
export interface StoreTarget {
  readonly kind: StoreKind;
  readonly servers: readonly { readonly host: string; readonly port: number }[];
  readonly database: string;
  readonly user: string;
  /** Null for none. */
  readonly password: string | null;
  readonly tls: {
    readonly mode: TlsMode;
    /** Files in PEM; null for what Node.js trusts, and for no certificate of our own. */
    readonly caFile: string | null;
    readonly certFile: string | null;
    readonly keyFile: string | null;
  };
}

/** Servers that are asked; more are too many for one run. */
export const MOST_SERVERS = 8;
const USUAL_PORT: Readonly<Record<StoreKind, number>> = { postgresql: 5432, mysql: 3306 };
/** Drivers, by the words of a scheme. */
const KINDS: Readonly<Record<string, StoreKind>> = {
  postgresql: 'postgresql',
  postgres: 'postgresql',
  mysql: 'mysql',
  mariadb: 'mysql',
};
const MODES: Readonly<Record<string, TlsMode>> = {
  disable: 'disable',
  disabled: 'disable',
  allow: 'prefer',
  prefer: 'prefer',
  preferred: 'prefer',
  require: 'require',
  required: 'require',
  // MariaDB's: encrypted, whoever it is.
  trust: 'require',
  'verify-ca': 'verify-ca',
  'verify-full': 'verify-full',
  'verify-identity': 'verify-full',
};

export interface StoreLogin {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Where the URL has no password either. */
  readonly fallbackPassword?: string | undefined;
}

/**
 * Reads the URL of a metadata store: of libpq or MySQL, or the JDBC form of `connectURI`. `user` and `password` come
 * before those of the URL. Throws `StoreUrlError`, without a word of the URL.
 */
export function storeTarget(url: string, given: StoreLogin = {}): StoreTarget {
  const { scheme, hosts, database, user, password, options } = splitStoreUrl(url);
  if (scheme.includes('+srv')) throw new StoreUrlError('name the servers themselves instead of a SRV record');
  const kind = scheme.split(/[:+]/).flatMap((word) => KINDS[word] ?? [])[0];
  if (kind === undefined) throw new StoreUrlError('only PostgreSQL, MySQL and MariaDB can be asked');
  if (database === '') throw new StoreUrlError('it names no database');
  if (hosts.length > MOST_SERVERS) throw new StoreUrlError(`it names more than ${MOST_SERVERS} servers`);
  const name = given.user ?? user;
  if (name === null) throw new StoreUrlError('it names no user; --metadata-user does');
  const { mode, caFile } = kind === 'postgresql' ? postgresqlTls(options) : mysqlTls(options, scheme);
  return {
    kind,
    servers: hosts.map(({ host, port }) => ({ host, port: port ?? USUAL_PORT[kind] })),
    database,
    user: name,
    password: given.password ?? password ?? given.fallbackPassword ?? null,
    tls: {
      mode,
      caFile,
      certFile: options.get('sslcert') ?? null,
      keyFile: options.get('sslkey') ?? null,
    },
  };
}

type Options = ReadonlyMap<string, string>;
type Tls = Pick<StoreTarget['tls'], 'mode' | 'caFile'>;

/** `ssl=true` alone is `verify-full` (pgJDBC, "Configuring the Client"). */
function postgresqlTls(options: Options): Tls {
  const mode = options.get('sslmode') ?? (isOn(options.get('ssl')) ? 'verify-full' : 'prefer');
  return { mode: modeOf(mode), caFile: options.get('sslrootcert') ?? null };
}

/** Options of MySQL Connector/J and MariaDB Connector/J, of which the latter checks the certificate unless told not to. */
function mysqlTls(options: Options, scheme: string): Tls {
  const caFile = options.get('ssl-ca') ?? options.get('serversslcert') ?? null;
  const mode = options.get('sslmode') ?? options.get('ssl-mode');
  if (mode !== undefined) return { mode: modeOf(mode), caFile };
  const use = options.get('usessl') ?? options.get('ssl');
  if (use !== undefined && !isOn(use)) return { mode: 'disable', caFile };
  const isMariaDb = scheme.includes('mariadb');
  if (isOn(use) && isMariaDb && !isOn(options.get('trustservercertificate')))
    return { mode: 'verify-full', caFile };
  if (isOn(use) && isOn(options.get('verifyservercertificate'))) return { mode: 'verify-ca', caFile };
  return { mode: isOn(use) || isOn(options.get('requiressl')) ? 'require' : 'prefer', caFile };
}

function modeOf(text: string): TlsMode {
  const mode = MODES[text.toLowerCase().replaceAll('_', '-')];
  if (mode === undefined) throw new StoreUrlError('its sslmode is not known');
  return mode;
}

function isOn(text: string | undefined): boolean {
  return text !== undefined && /^(true|1|on|yes|)$/i.test(text);
}
