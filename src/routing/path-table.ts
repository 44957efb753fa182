import type { Role } from '../discovery/discovery.ts';
import type { LocalName, RouteClass } from './route.ts';

/** Whether `path` is `prefix` itself or lies below it. */
export function isUnder(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
}

/**
 * GET paths answered as the Router (StatusResource, SelfDiscoveryResource, RouterResource) or a Broker
 * (BrokerResource) would.
 */
export const LOCAL_PATHS: ReadonlyMap<string, LocalName> = new Map([
  ['/proxy/enabled', 'proxy-enabled'],
  ['/druid/router/v1/brokers', 'router-brokers'],
  ['/status', 'status'],
  ['/status/', 'status'],
  ['/status/properties', 'status-properties'],
  ['/status/health', 'status-health'],
  ['/status/ready', 'status-ready'],
  ['/druid/broker/v1/readiness', 'broker-readiness'],
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

/** Whether the path is a static file of the web console (WebConsoleJettyServerInitializer). */
export function isConsole(path: string): boolean {
  return CONSOLE_FILES.has(path) || CONSOLE_FOLDERS.some((folder) => path.startsWith(`${folder}/`));
}

/**
 * Paths of Druid's internal traffic, and paths that change one node without the leader's knowledge. The Router does
 * not serve them either, but its `/proxy/coordinator` and `/proxy/overlord` let them through.
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
/**
 * Tested on Druid 33: the answer is an empty list for every role, even for existing ones. Each name asked for
 * leaves an empty znode in `internal-discovery` (`ClusterResource` makes a `NodeRole` of any text).
 */
const CLUSTER_ROLE = '/druid/coordinator/v1/cluster/';
const SECURITY = '/druid-ext/basic-security';
/** Paths that nodes of a cluster call on each other (CoordinatorBasicAuthenticatorResource). */
const SECURITY_INTERNAL = /\/(?:listen(?:\/|$)|cachedSerialized)/i;

/**
 * Whether a path is one that only a configuration can open. Takes the path as a reader could understand it
 * (`canonicalPath`). Compares without case, unlike Druid.
 */
export function isDenied(canonical: string): boolean {
  const lower = canonical.toLowerCase();
  if (lower.startsWith('/druid-ext')) return !isUnder(lower, SECURITY) || SECURITY_INTERNAL.test(lower);
  return lower.startsWith(CLUSTER_ROLE) || DENIED.some((prefix) => isUnder(lower, prefix));
}

/**
 * Returns where the names in a path start that Druid decodes itself (ids of queries, tasks and supervisors,
 * datasources, lookups, users). In names a slash, a backslash or a semicolon may be encoded. The part before them
 * decides the role, the class of the request, and whether it is denied. Returns the path's length if it has no
 * names.
 */
export function namesBegin(method: string, path: string): number {
  const before = segmentsBeforeNames(method, path);
  let at = before === 0 ? -1 : 0;
  for (let i = 0; i < before && at !== -1; i++) at = path.indexOf('/', at + 1);
  return at === -1 ? path.length : at;
}

function segmentsBeforeNames(method: string, path: string): number {
  // `DELETE /druid/v2/ID` and `/druid/v2/sql/ID` have no segment before the name that gives its kind; all others
  // do.
  const kinds = method === 'DELETE' ? 0 : 1;
  if (isUnder(path, '/druid/v2/sql')) return 3 + kinds;
  if (isUnder(path, '/druid/v2')) return 2 + kinds;
  return roleOf(path) === null ? 0 : 4;
}

/** Returns the role that serves a path open by default, or null. */
export function roleOf(path: string): Role | null {
  if (isUnder(path, '/druid/v2') || isUnder(path, '/druid/v1/lookups')) return 'broker';
  if (isUnder(path, '/druid/coordinator') || isUnder(path, SECURITY)) return 'coordinator';
  if (isUnder(path, '/druid/indexer')) return 'overlord';
  return null;
}

/** Returns the role that serves a path opened by configuration, or null if no single role does. */
export function roleOfOpened(path: string): Role | null {
  const role = roleOf(path);
  if (role !== null) return role;
  if (isUnder(path, '/druid/broker') || isUnder(path, '/druid/listen')) return 'broker';
  if (isUnder(path, '/druid-ext') || isUnder(path, '/coordinator') || isUnder(path, '/info')) {
    return 'coordinator';
  }
  return isUnder(path, '/overlord') ? 'overlord' : null;
}

/** Whether a master serves this path below `/proxy/<role>`. Includes the paths open by default. */
export function isProxied(path: string): boolean {
  return (
    path === '/status' || path.startsWith('/status/') || isUnder(path, '/druid-ext') || roleOf(path) !== null
  );
}

const TASK_LOG = /^\/druid\/indexer\/v1\/task\/[^/]+\/log$/;
const STATEMENT_RESULTS = /^\/druid\/v2\/sql\/statements\/[^/]+\/results$/;

/**
 * POST requests that change nothing (OverlordResource, SamplerResource, MetadataResource, compaction resources).
 */
const READING_POST =
  /^\/druid\/(?:indexer\/v1\/(?:sampler|taskStatus|activeLocks|lockedIntervals(?:\/v2)?|compaction\/simulate)|coordinator\/v1\/(?:compaction\/simulate|metadata\/(?:dataSourceInformation|bootstrapSegments|datasources\/[^/]+\/segments)))\/?$/;

/** Returns the class of a request to this role. */
export function classOf(role: Role, method: string, path: string): RouteClass {
  const reads = method === 'GET' || method === 'HEAD';
  if (role !== 'broker') {
    if (!reads) return method === 'POST' && READING_POST.test(path) ? 'read' : 'write';
    return TASK_LOG.test(path) ? 'stream' : 'read';
  }
  if (isUnder(path, '/druid/v2/sql/avatica') || isUnder(path, '/druid/v2/sql/avatica-protobuf'))
    return 'jdbc';
  if (reads) return STATEMENT_RESULTS.test(path) ? 'stream' : 'read';
  if (isUnder(path, '/druid/v2/sql/statements') || isUnder(path, '/druid/v2/sql/task')) return 'statement';
  if (method === 'POST' && isUnder(path, '/druid/v2')) return 'query';
  return method === 'DELETE' && isUnder(path, '/druid/v2') ? 'cancel' : 'write';
}
