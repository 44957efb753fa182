import type { Role } from '../discovery/discovery.ts';
import type { LocalName, RouteClass } from './route.ts';

/** Whether `path` is `prefix` itself or lies below it. */
export function isUnder(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
}

/** Answered as the Router does (StatusResource, SelfDiscoveryResource, RouterResource), for GET. */
export const LOCAL_PATHS: ReadonlyMap<string, LocalName> = new Map([
  ['/proxy/enabled', 'proxy-enabled'],
  ['/druid/router/v1/brokers', 'router-brokers'],
  ['/status', 'status'],
  ['/status/', 'status'],
  ['/status/properties', 'status-properties'],
  ['/status/health', 'status-health'],
  ['/status/ready', 'status-ready'],
  ['/status/selfDiscovered', 'self-discovered'],
  ['/status/selfDiscovered/status', 'self-discovered-status'],
]);

const CONSOLE_FILES: ReadonlySet<string> = new Set([
  '/',
  '/unified-console.html',
  '/index.html',
  '/console.html',
  '/old-console.html',
  '/console-config.js',
  '/favicon.png',
]);
const CONSOLE_FOLDERS = ['/public', '/assets'] as const;

/** Static files of the web console (WebConsoleJettyServerInitializer). */
export function isConsole(path: string): boolean {
  return CONSOLE_FILES.has(path) || CONSOLE_FOLDERS.some((folder) => path.startsWith(`${folder}/`));
}

/**
 * Paths of Druid's own internal traffic, and such as change a single node behind the leader's back. The Router
 * does not serve them either, but its `/proxy/coordinator` and `/proxy/overlord` let them through.
 */
const DENIED = [
  '/druid-internal',
  '/druid/indexer/v1/action',
  '/druid/listen',
  '/druid/worker',
  '/druid/historical',
  '/druid/broker',
  '/druid/dart-worker',
  '/info',
  '/coordinator',
  '/overlord',
] as const;
/** Asking for a role that does not exist leaves an empty znode behind for each name asked for. */
const CLUSTER_ROLE = '/druid/coordinator/v1/cluster/';
const SECURITY = '/druid-ext/basic-security';
/** What nodes of a cluster tell each other (CoordinatorBasicAuthenticatorResource). */
const SECURITY_INTERNAL = /\/(?:listen(?:\/|$)|cachedSerialized)/;

/** Whether a path, with its escapes decoded, is one that only a configuration can open. */
export function isDenied(decoded: string): boolean {
  if (decoded.startsWith('/druid-ext')) {
    return !isUnder(decoded, SECURITY) || SECURITY_INTERNAL.test(decoded);
  }
  return decoded.startsWith(CLUSTER_ROLE) || DENIED.some((prefix) => isUnder(decoded, prefix));
}

/** Who serves a path that the table opens, or null. */
export function roleOf(path: string): Role | null {
  if (isUnder(path, '/druid/v2') || isUnder(path, '/druid/v1/lookups')) return 'broker';
  if (isUnder(path, '/druid/coordinator') || isUnder(path, SECURITY)) return 'coordinator';
  if (isUnder(path, '/druid/indexer')) return 'overlord';
  return null;
}

/** Who serves a path that a configuration opened, or null where no single role does. */
export function roleOfOpened(path: string): Role | null {
  const role = roleOf(path);
  if (role !== null) return role;
  if (isUnder(path, '/druid/broker') || isUnder(path, '/druid/listen')) return 'broker';
  if (isUnder(path, '/druid-ext') || isUnder(path, '/coordinator') || isUnder(path, '/info')) {
    return 'coordinator';
  }
  return isUnder(path, '/overlord') ? 'overlord' : null;
}

/** What a master serves below `/proxy/<role>`, besides what the table opens anyway. */
export function isProxied(path: string): boolean {
  return (
    path === '/status' || path.startsWith('/status/') || isUnder(path, '/druid-ext') || roleOf(path) !== null
  );
}

const TASK_LOG = /^\/druid\/indexer\/v1\/task\/[^/]+\/log$/;
const STATEMENT_RESULTS = /^\/druid\/v2\/sql\/statements\/[^/]+\/results$/;

export function classOf(role: Role, method: string, path: string): RouteClass {
  const reads = method === 'GET' || method === 'HEAD';
  if (role !== 'broker') return !reads ? 'write' : TASK_LOG.test(path) ? 'stream' : 'read';
  if (isUnder(path, '/druid/v2/sql/avatica') || isUnder(path, '/druid/v2/sql/avatica-protobuf'))
    return 'jdbc';
  if (reads) return STATEMENT_RESULTS.test(path) ? 'stream' : 'read';
  if (isUnder(path, '/druid/v2/sql/statements') || isUnder(path, '/druid/v2/sql/task')) return 'statement';
  if (method === 'POST' && isUnder(path, '/druid/v2')) return 'query';
  return method === 'DELETE' && isUnder(path, '/druid/v2') ? 'cancel' : 'write';
}
