import { gatewayError } from '../errors/gateway-error.ts';
import { isUnder } from './path-table.ts';
import type { Router } from './router.ts';
import { checkTarget } from './target-check.ts';

/**
 * Has a router serve below a base path: it gets each target without it, so that nothing of a route knows of it. The
 * base path is compared as it is written: in another spelling (escapes, another case, doubled slashes) it is another
 * path, and nothing outside is served. The base path alone is redirected to where its slash is. Returns the router
 * itself for an empty base path.
 */
export function belowBasePath(router: Router, basePath: string): Router {
  if (basePath === '') return router;
  const outside = gatewayError('path_outside_base', {
    message: `All paths of this gateway begin with ${basePath}/, and a proxy in front has to pass them on as they are.`,
  });

  return (method, target, preflight, told) => {
    if (method === 'OPTIONS' && target === '*') return router(method, target, preflight, told);
    const rest = target.startsWith(basePath) ? target.slice(basePath.length) : null;
    if (rest?.startsWith('/')) return router(method, rest, preflight, told);
    if (rest === '' || rest?.startsWith('?')) {
      const route = router(method, `/${rest}`, preflight, told);
      return route.kind === 'console' ? { kind: 'local', name: 'base-path', target: route.target } : route;
    }
    const fault = checkTarget(target);
    const error = fault === null ? outside : gatewayError('target_malformed', { message: fault });
    return { kind: 'refused', error };
  };
}

/** Whether a path, whatever follows it, is the base path or below it. Always true for an empty base path. */
export function isBelow(basePath: string, path: string): boolean {
  return isUnder(/^[^?#]*/.exec(path)?.[0] ?? '', basePath);
}
