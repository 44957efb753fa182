import { gatewayError } from '../errors/gateway-error.ts';
import type { ForwardRoute, Route, RuleTold } from '../routing/route.ts';
import { isPreflight } from './cors.ts';
import { CROSS_SITE, isRefusedCrossSite } from './cross-site.ts';
import { requestFault } from './forwarded-head.ts';
import type { RequestHead } from './ports/client.ts';
import type { ClientOrigin } from './ports/client-origin.ts';
import type { ExchangeServices } from './ports/services.ts';

/** Decides by its head alone where a request goes, or why it is refused. `told` hears the rule of the path. */
export function intake(
  head: RequestHead,
  origin: ClientOrigin,
  { route: router, options: { cors } }: Pick<ExchangeServices, 'route' | 'options'>,
  told?: RuleTold,
): Route {
  const fault = requestFault(head);
  if (fault !== null) {
    return { kind: 'refused', error: gatewayError('request_malformed', { message: fault, closes: true }) };
  }
  const route = router(head.method, head.target, cors === null && isPreflight(head), told);
  const passes = route.kind === 'refused' || route.kind === 'console';
  return !passes && isRefusedCrossSite(head, origin, route, cors)
    ? { kind: 'refused', error: CROSS_SITE }
    : route;
}

/** The route of a console page, which the leading Coordinator serves. */
export function pageRoute(target: string): ForwardRoute {
  return { kind: 'forward', role: 'coordinator', class: 'read', target };
}

/** The services for requests that are neither redirected nor placed by tier. */
export function withoutPlacement(services: ExchangeServices): ExchangeServices {
  return { ...services, redirectPolicy: null, tierSelector: null };
}
