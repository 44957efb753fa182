/** The parts of a URL of a database, as its text has them. */
export interface StoreUrl {
  /** `jdbc:mysql:replication`, `postgresql`: in lower case, without the last colon. */
  readonly scheme: string;
  readonly hosts: readonly StoreHost[];
  readonly database: string;
  /** Decoded; null without one. */
  readonly user: string | null;
  readonly password: string | null;
  /** By names in lower case, since MySQL's drivers do not tell them apart; the last of a name counts. */
  readonly options: ReadonlyMap<string, string>;
}

export interface StoreHost {
  readonly host: string;
  /** Null where it is left out. */
  readonly port: number | null;
}

/** Says what is wrong with a URL without a word of it, since it may hold a password. */
export class StoreUrlError extends Error {}

const LONGEST = 4_000;
/** A password with such signs is the likeliest reason for odd hosts. */
const ENCODED = '; signs such as : @ , / in a password are written as %3A %40 %2C %2F';
const SCHEME = /^([a-z][a-z\d+.-]*(?::[a-z][a-z\d+.-]*){0,4}):\/\/(.*)$/is;
/** `jdbc:postgresql:druid` and `jdbc:postgresql:/`: this machine. */
const WITHOUT_HOST = /^(jdbc:postgresql):(?:\/|([\w.-]*))(\?.*)?$/is;
const HOST = /^[\w.-]{1,255}$/;
const ADDRESS = /^\[?([\da-f:.]{2,45})\]?$/i;

/**
 * Takes apart the URL of a database: of libpq, of MySQL, or of a JDBC driver, with one host or many. Throws
 * `StoreUrlError`.
 */
export function splitStoreUrl(given: string): StoreUrl {
  const text = given.trim();
  if (text.length > LONGEST) throw new StoreUrlError('it is too long');
  const [, scheme, rest] = SCHEME.exec(text) ?? localForm(text);
  if (scheme === undefined || rest === undefined) {
    throw new StoreUrlError(
      'it is no URL such as postgresql://db-1,db-2/druid or jdbc:mysql://db-1:3306/druid',
    );
  }
  const [, authority = '', path = '', query = ''] =
    /^([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?/.exec(rest) ?? [];
  const options = new Map<string, string>();
  for (const pair of query.split('&')) {
    const [name = '', ...value] = pair.split('=');
    if (name !== '') options.set(name.toLowerCase(), decoded(value.join('=')));
  }
  const { userInfo, list } = splitAuthority(authority);
  const [user, ...password] = userInfo === null ? [] : userInfo.split(':');
  return {
    scheme: scheme.toLowerCase(),
    hosts: list === '' ? namedHosts(options) : splitList(list).map(parseHost),
    database: decoded(path) || (options.get('dbname') ?? options.get('database') ?? ''),
    user: user === undefined || user === '' ? (options.get('user') ?? null) : decoded(user),
    password: password.length === 0 ? (options.get('password') ?? null) : decoded(password.join(':')),
    options,
  };
}

function localForm(text: string): [string, string, string] | [] {
  const [whole, scheme, database = '', query = ''] = WITHOUT_HOST.exec(text) ?? [];
  return whole === undefined || scheme === undefined ? [] : [whole, scheme, `/${database}${query}`];
}

/** MySQL's drivers allow a user before each host; the first one counts. */
function splitAuthority(authority: string): { userInfo: string | null; list: string } {
  const at = authority.lastIndexOf('@');
  if (at === -1) return { userInfo: null, list: authority };
  const before = authority.slice(0, at);
  if (!before.includes('@')) return { userInfo: before, list: authority.slice(at + 1) };
  const hosts = authority.split(',');
  return {
    userInfo: before.slice(0, before.indexOf('@')),
    list: hosts.map((host) => host.slice(host.lastIndexOf('@') + 1)).join(','),
  };
}

/** libpq takes hosts as options, too. */
function namedHosts(options: ReadonlyMap<string, string>): StoreHost[] {
  const hosts = (options.get('host') ?? 'localhost').split(',');
  const ports = (options.get('port') ?? '').split(',');
  return hosts.map((host, i) => {
    const port = ports[i] ?? ports[0] ?? '';
    return parseHost(port === '' ? bracketed(host) : `${bracketed(host)}:${port}`);
  });
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

/** Splits at commas that are not within parentheses: `address=(host=db-1)(port=3306),(host=db-2,port=3306)`. */
function splitList(list: string): string[] {
  const items = list.match(/(?:\([^)]*\)|[^,(])+/g) ?? [];
  return items.map((item) => item.trim()).filter((item) => item !== '');
}

function parseHost(text: string): StoreHost {
  if (text.includes('(')) {
    const host = /[(,]\s*host\s*=\s*([^,)\s]+)/i.exec(text)?.[1];
    const port = /[(,]\s*port\s*=\s*(\d+)/i.exec(text)?.[1];
    if (host === undefined) throw new StoreUrlError('an address of it has no host');
    return { host: checkedHost(host), port: port === undefined ? null : checkedPort(port) };
  }
  const [, host = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(text) ?? [];
  return { host: checkedHost(host), port: port === undefined || port === '' ? null : checkedPort(port) };
}

function checkedHost(host: string): string {
  if (HOST.test(host)) return host;
  const address = host.startsWith('[') ? ADDRESS.exec(host)?.[1] : undefined;
  if (address?.includes(':') === true) return address;
  throw new StoreUrlError(`a host of it is neither a name nor an address${ENCODED}`);
}

function checkedPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535)
    throw new StoreUrlError(`a port of it is no number from 1 to 65535${ENCODED}`);
  return port;
}

/** A percent sign that encodes nothing stands for itself, as in JDBC's own options. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
