import type { Route } from './route.ts';
import type { Router } from './router.ts';

/** Most targets remembered for each method. Clients ask for the same few again and again. */
const MOST_TARGETS = 256;
/** A longer target, in characters, is not remembered, so that the memory used is bounded. */
const LONGEST_TARGET = 512;

/**
 * Remembers where requests go, since a router decides by method and target alone. Only what is forwarded is remembered:
 * refusals are rare, and their variety is the client's. Precondition: targets have one character for each octet.
 */
export function rememberRoutes(router: Router): Router {
  const byMethod = new Map<string, Map<string, Route>>();
  /** The last request: the next one often asks for the same. */
  let lastMethod = '';
  let lastTarget = '';
  let lastRoute: Route | null = null;

  function decide(method: string, target: string): Route {
    // A target is cut out of its head, and would keep all of it in memory.
    const copy = Buffer.from(target, 'latin1').toString('latin1');
    const route = router(method, copy);
    if (route.kind === 'forward') remember(method, copy, route);
    return route;
  }

  function remember(method: string, target: string, route: Route): void {
    const routes = byMethod.get(method) ?? new Map<string, Route>();
    if (routes.size >= MOST_TARGETS) routes.clear();
    routes.set(target, route);
    byMethod.set(method, routes);
    lastMethod = method;
    lastTarget = target;
    lastRoute = route;
  }

  return (method, target, preflight, told) => {
    if (preflight === true || told !== undefined || target.length > LONGEST_TARGET) {
      return router(method, target, preflight, told);
    }
    if (lastRoute !== null && target === lastTarget && method === lastMethod) return lastRoute;
    return byMethod.get(method)?.get(target) ?? decide(method, target);
  };
}
