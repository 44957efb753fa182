import { isIPv6 } from 'node:net';

/** One ZooKeeper server; an IPv6 host has no brackets. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export interface ConnectString {
  /** In the order written; at least one. */
  readonly servers: readonly ServerAddress[];
  /** A path such as `/some/path` that every path is relative to, or null. */
  readonly chroot: string | null;
}

const DEFAULT_PORT = 2181;
const HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?$/;

/**
 * Parses ZooKeeper's connect string, `host[:port],host[:port].../chroot`, as in `druid.zk.service.host`. IPv6
 * addresses need brackets; the default port is 2181.
 *
 * Throws an Error whose message is one sentence that names the wrong part and what is wrong with it.
 */
export function parseConnectString(text: string): ConnectString {
  const trimmed = text.trim();
  const slash = trimmed.indexOf('/');
  const hosts = slash === -1 ? trimmed : trimmed.slice(0, slash);
  const servers = hosts
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseServer);
  if (servers.length === 0) {
    throw new Error(
      'the ZooKeeper connect string names no server; expected host:port[,host:port...][/chroot]',
    );
  }
  return { servers, chroot: slash === -1 ? null : parseChroot(trimmed.slice(slash)) };
}

/** Formats a server as `host:port` for messages, IPv6 in brackets. */
export function formatServer(server: ServerAddress): string {
  return server.host.includes(':') ? `[${server.host}]:${server.port}` : `${server.host}:${server.port}`;
}

function parseServer(part: string): ServerAddress {
  if (part.includes('@')) {
    // The part may contain a password, so the message does not repeat it.
    throw new Error('the ZooKeeper connect string must not hold credentials; give them as user and password');
  }
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(part);
  if (bracketed) {
    const [, host = '', port] = bracketed;
    if (!isIPv6(host))
      throw new Error(`the ZooKeeper server "${part}" has no IPv6 address between the brackets`);
    return { host, port: parsePort(part, port) };
  }
  const pieces = part.split(':');
  if (pieces.length > 2) {
    throw new Error(
      `the ZooKeeper server "${part}" has too many colons; an IPv6 address needs brackets: [::1]:2181`,
    );
  }
  const [host = '', port] = pieces;
  if (!HOST_NAME.test(host)) throw new Error(`the ZooKeeper server "${part}" has no valid host name`);
  return { host, port: parsePort(part, port) };
}

function parsePort(part: string, text: string | undefined): number {
  if (text === undefined) return DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) {
    throw new Error(`the ZooKeeper server "${part}" has no valid port; expected 1 to 65535`);
  }
  return port;
}

function parseChroot(text: string): string | null {
  if (text === '/') return null;
  const problem = pathProblem(text);
  if (problem !== null) throw new Error(`the chroot "${text}" of the ZooKeeper connect string ${problem}`);
  return text;
}

/** Returns why ZooKeeper would refuse this absolute path, as the end of a sentence, or null. */
export function pathProblem(path: string): string | null {
  if (!path.startsWith('/')) return 'does not start with a slash';
  if (path === '/') return null;
  if (path.endsWith('/')) return 'ends with a slash';
  const names = path.slice(1).split('/');
  if (names.includes('')) return 'has an empty name between two slashes';
  if (names.includes('.') || names.includes('..')) return 'has "." or ".." as a name';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: PathUtils.validatePath of ZooKeeper refuses these, too.
  if (/[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/.test(path))
    return 'has a character that ZooKeeper refuses';
  return null;
}
