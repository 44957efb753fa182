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

/**
 * Returns the static file of the web console that the path names, or its folder (WebConsoleJettyServerInitializer);
 * null if it is none.
 */
export function consolePath(path: string): string | null {
  if (CONSOLE_FILES.has(path)) return path;
  return CONSOLE_FOLDERS.find((folder) => path.startsWith(`${folder}/`)) ?? null;
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
const EXTENSIONS = '/druid-ext';
const SECURITY = '/druid-ext/basic-security';
/** Paths that nodes of a cluster call on each other (CoordinatorBasicAuthenticatorResource). */
const SECURITY_INTERNAL = /\/(?:listen(?:\/|$)|cachedSerialized)/i;

/**
 * Returns the prefix that makes a path one that only a configuration can open; null if it is open. Takes the path as a
 * reader could understand it (`canonicalPath`). Compares without case, unlike Druid.
 */
export function deniedPrefix(canonical: string): string | null {
  const lower = canonical.toLowerCase();
  if (lower.startsWith(EXTENSIONS)) {
    if (!isUnder(lower, SECURITY)) return EXTENSIONS;
    return SECURITY_INTERNAL.test(lower) ? SECURITY : null;
  }
  if (lower.startsWith(CLUSTER_ROLE)) return CLUSTER_ROLE;
  return DENIED.find((prefix) => isUnder(lower, prefix)) ?? null;
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

/** A prefix of paths, and the role that serves what is below it. */
export interface RolePrefix {
  readonly prefix: string;
  readonly role: Role;
}

/** Paths that are open by default; queries first, since most requests are. */
const OPEN: readonly RolePrefix[] = [
  { prefix: '/druid/v2', role: 'broker' },
  { prefix: '/druid/coordinator', role: 'coordinator' },
  { prefix: '/druid/indexer', role: 'overlord' },
  { prefix: '/druid/v1/lookups', role: 'broker' },
  { prefix: SECURITY, role: 'coordinator' },
];
/** The same for paths that a configuration opens. */
const OPENED: readonly RolePrefix[] = [
  ...OPEN,
  { prefix: '/druid/broker', role: 'broker' },
  { prefix: '/druid/listen', role: 'broker' },
  { prefix: EXTENSIONS, role: 'coordinator' },
  { prefix: '/coordinator', role: 'coordinator' },
  { prefix: '/info', role: 'coordinator' },
  { prefix: '/overlord', role: 'overlord' },
];

/** Returns the entry of the table that a path open by default falls under, or null. */
export function openPrefix(path: string): RolePrefix | null {
  return OPEN.find(({ prefix }) => isUnder(path, prefix)) ?? null;
}

/** Returns the role that serves a path open by default, or null. */
export function roleOf(path: string): Role | null {
  return openPrefix(path)?.role ?? null;
}

/** Returns the role that serves a path opened by configuration, or null if no single role does. */
export function roleOfOpened(path: string): Role | null {
  return OPENED.find(({ prefix }) => isUnder(path, prefix))?.role ?? null;
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
