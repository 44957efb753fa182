import type { MasterRole, Role } from '../discovery/discovery.ts';
import { type GatewayError, gatewayError } from '../errors/gateway-error.ts';
import { canonicalPath, hidesSeparators } from './canonical-path.ts';
import {
  classOf,
  consolePath,
  deniedPrefix,
  isProxied,
  isUnder,
  LOCAL_PATHS,
  namesBegin,
  openPrefix,
  roleOfOpened,
} from './path-table.ts';
import type { Route, RuleTold } from './route.ts';
import { checkTarget, splitTarget } from './target-check.ts';

export interface RouterOptions {
  /** Prefixes of paths that are denied by default but should be served. */
  readonly allow: readonly string[];
}

/**
 * Routes a request by its method and raw target alone, without clock, cluster or network. `preflight` marks an
 * OPTIONS by which a browser asks what a page may do (Fetch 3.3.5); the node that serves the path answers it. `told`
 * hears the rule that decides; where there is none, the refusal says why.
 */
export type Router = (method: string, target: string, preflight?: boolean, told?: RuleTold) => Route;

const FORWARDED = 'GET, HEAD, POST, PUT, DELETE, OPTIONS';
const READ_ONLY = 'GET, HEAD, OPTIONS';
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE']);
/** The Router compares the destination without case. */
const PROXY = /^\/proxy\/([A-Za-z]+)(\/.*)?$/;

/** Creates the path table, see docs/routing.md and docs/decisions/0017-names-in-paths.md. */
export function createRouter({ allow }: RouterOptions): Router {
  function opened(path: string): string | undefined {
    return allow.find((prefix) => isUnder(path, prefix));
  }

  function byPath(method: string, target: string, path: string, query: string, told?: RuleTold): Route {
    const open = openPrefix(path);
    // No escapes, so the path is literally what Druid sees; no Broker path is denied, so skip that check.
    if (open?.role === 'broker' && !path.includes('%')) {
      told?.({ by: 'path', matched: open.prefix });
      return forward(open.role, method, path, target);
    }
    const local = LOCAL_PATHS.get(path);
    if (local !== undefined) {
      told?.({ by: 'local', matched: path });
      return readOnly(method, { kind: 'local', name: local, target });
    }
    const [, name = '', rest = ''] = isUnder(path, '/proxy') ? (PROXY.exec(path) ?? []) : [];
    const inner = rest === '' ? path : rest;
    if (path.includes('%') && hidesSeparators(beforeNames(method, path, inner))) return separators();
    const page = consolePath(path);
    if (page !== null) {
      told?.({ by: 'console', matched: page });
      return readOnly(method, { kind: 'console', target });
    }
    if (isUnder(path, '/proxy')) {
      const destination = name.toLowerCase();
      if (destination === 'coordinator' || destination === 'overlord') {
        return byProxy(method, destination, rest, query, told);
      }
      return refused(gatewayError('proxy_destination_unknown'));
    }
    const canonical = canonicalPath(path);
    const deniedBy = canonical === null ? path : deniedPrefix(canonical);
    if (deniedBy !== null) {
      const prefix = opened(path);
      const by = prefix === undefined ? null : roleOfOpened(path);
      told?.(
        by === null || prefix === undefined
          ? { by: 'denied', matched: deniedBy }
          : { by: 'routes.allow', matched: prefix },
      );
      return by === null ? denied() : forward(by, method, path, target);
    }
    if (open === null) return unknown();
    told?.({ by: 'path', matched: open.prefix });
    return forward(open.role, method, path, target);
  }

  /** Returns the part of the path that decides the route: everything before the names, or all of it. */
  function beforeNames(method: string, path: string, inner: string): string {
    const prefix = opened(inner);
    const names = prefix === undefined ? namesBegin(method, inner) : prefix.length;
    return path.slice(0, path.length - inner.length + names);
  }

  function byProxy(method: string, role: MasterRole, path: string, query: string, told?: RuleTold): Route {
    if (path === '' || path === '/') return unknown();
    if (opened(path) === undefined) {
      // Below `/proxy` the client addresses the master itself, whose extensions are not denied.
      const canonical = canonicalPath(path);
      const deniedBy = canonical === null ? path : deniedPrefix(canonical);
      if (deniedBy !== null) {
        told?.({ by: 'denied', matched: deniedBy });
        return denied();
      }
      if (!isProxied(path)) return unknown();
    }
    told?.({ by: 'proxy', matched: `/proxy/${role}` });
    return forward(role, method, path, path + query);
  }

  return (method, target, preflight = false, told) => {
    if (method === 'OPTIONS' && target === '*') return options(target, FORWARDED);
    if (!METHODS.has(method) && method !== 'OPTIONS') return notAllowed(FORWARDED);
    const fault = checkTarget(target);
    if (fault !== null) return refused(gatewayError('target_malformed', { message: fault }));
    const { path, query } = splitTarget(target);
    if (method !== 'OPTIONS') return byPath(method, target, path, query, told);
    const route = byPath('GET', target, path, query, told);
    if (route.kind === 'refused') return route;
    const asked = preflight ? roleOfPreflight(route) : null;
    if (asked !== null) return { kind: 'forward', role: asked, class: 'read', target: route.target };
    return options(target, route.kind === 'forward' ? FORWARDED : READ_ONLY);
  };
}

function separators(): Route {
  return refused(
    gatewayError('target_malformed', {
      message: 'Encoded slashes, backslashes and semicolons can stand in the names of a path only.',
    }),
  );
}

function forward(role: Role, method: string, path: string, target: string): Route {
  return { kind: 'forward', role, class: classOf(role, method, path), target };
}

/** Returns the role whose node answers a preflight, or null if the gateway does. */
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
  const message = `The method is not allowed here; allowed are ${allow}.`;
  return refused(gatewayError('method_not_allowed', { message, allow }));
}

function denied(): Route {
  return refused(gatewayError('path_denied'));
}

function unknown(): Route {
  return refused(gatewayError('path_unknown'));
}

function refused(error: GatewayError): Route {
  return { kind: 'refused', error };
}
