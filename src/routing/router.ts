import type { MasterRole, Role } from '../discovery/discovery.ts';
import {
  classOf,
  isConsole,
  isDenied,
  isProxied,
  isUnder,
  LOCAL_PATHS,
  roleOf,
  roleOfOpened,
} from './path-table.ts';
import type { RefusalReason, Route } from './route.ts';
import { checkTarget, decodePath, splitTarget } from './target-check.ts';

export interface RouterOptions {
  /** Prefixes of paths that are denied by default and are to be served. */
  readonly allow: readonly string[];
}

/**
 * Decides what a request is by its method and raw target alone: no clock, no cluster, no network. `preflight`: it is an
 * OPTIONS by which a browser asks what a page may do (Fetch 3.3.5), for the node that serves the path to answer.
 */
export type Router = (method: string, target: string, preflight?: boolean) => Route;

const FORWARDED = 'GET, HEAD, POST, PUT, DELETE, OPTIONS';
const READ_ONLY = 'GET, HEAD, OPTIONS';
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE']);
/** The Router compares the destination without regard to case. */
const PROXY = /^\/proxy\/([A-Za-z]+)(\/.*)?$/;

/** The path table, see docs/routing.md. */
export function createRouter({ allow }: RouterOptions): Router {
  function opened(path: string): boolean {
    return allow.some((prefix) => isUnder(path, prefix));
  }

  function byPath(method: string, target: string, path: string, query: string): Route {
    const role = roleOf(path);
    // Without an escape nothing can hide in the path, and queries have no denied part at all.
    if (role === 'broker' && !path.includes('%')) return forward(role, method, path, target);
    const local = LOCAL_PATHS.get(path);
    if (local !== undefined) return readOnly(method, { kind: 'local', name: local, target });
    if (isConsole(path)) return readOnly(method, { kind: 'console', target });
    if (isUnder(path, '/proxy')) {
      const [, name = '', rest = ''] = PROXY.exec(path) ?? [];
      const destination = name.toLowerCase();
      if (destination === 'coordinator' || destination === 'overlord') {
        return byProxy(method, destination, rest, query);
      }
      return refused(
        400,
        'proxy_destination_unknown',
        'The only destinations below /proxy are /proxy/coordinator and /proxy/overlord.',
      );
    }
    if (isDenied(decodePath(path))) {
      const by = opened(path) ? roleOfOpened(path) : null;
      return by === null ? denied() : forward(by, method, path, target);
    }
    return role === null ? unknown() : forward(role, method, path, target);
  }

  function byProxy(method: string, role: MasterRole, path: string, query: string): Route {
    if (path === '' || path === '/') return unknown();
    if (!opened(path)) {
      // Below /proxy it is the master itself that is asked, and its own extensions are its own.
      if (isDenied(decodePath(path))) return denied();
      if (!isProxied(path)) return unknown();
    }
    return forward(role, method, path, path + query);
  }

  return (method, target, preflight = false) => {
    if (method === 'OPTIONS' && target === '*') return options(target, FORWARDED);
    if (!METHODS.has(method) && method !== 'OPTIONS') return notAllowed(FORWARDED);
    const fault = checkTarget(target);
    if (fault !== null) return refused(400, 'target_malformed', fault);
    const { path, query } = splitTarget(target);
    if (method !== 'OPTIONS') return byPath(method, target, path, query);
    const route = byPath('GET', target, path, query);
    if (route.kind === 'refused') return route;
    const asked = preflight ? roleOfPreflight(route) : null;
    if (asked !== null) return { kind: 'forward', role: asked, class: 'read', target: route.target };
    return options(target, route.kind === 'forward' ? FORWARDED : READ_ONLY);
  };
}

function forward(role: Role, method: string, path: string, target: string): Route {
  return { kind: 'forward', role, class: classOf(role, method, path), target };
}

/** Who serves what is asked about; null where the gateway itself does. */
function roleOfPreflight(route: Exclude<Route, { kind: 'refused' }>): Role | null {
  if (route.kind === 'forward') return route.role;
  if (route.kind === 'console') return 'coordinator';
  return route.name === 'status' ? 'broker' : null;
}

function readOnly(method: string, route: Route): Route {
  return method === 'GET' || method === 'HEAD' ? route : notAllowed(READ_ONLY);
}

function options(target: string, allow: string): Route {
  return { kind: 'local', name: 'options', target, allow };
}

function notAllowed(allow: string): Route {
  return {
    kind: 'refused',
    status: 405,
    reason: 'method_not_allowed',
    message: `The method is not allowed here; allowed are ${allow}.`,
    allow,
  };
}

function denied(): Route {
  return refused(404, 'path_denied', "This path belongs to Druid's internal traffic and is not served here.");
}

function unknown(): Route {
  return refused(404, 'path_unknown', 'No Druid API that is served here has this path.');
}

function refused(status: 400 | 404, reason: RefusalReason, message: string): Route {
  return { kind: 'refused', status, reason, message };
}
