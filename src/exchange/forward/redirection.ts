import type { ForwardRoute } from '../../routing/route.ts';
import type { Redirection } from '../own-answers/redirect.ts';
import type { RequestHead } from '../ports/client.ts';
import type { ExchangeServices } from '../ports/services.ts';
import { isLarge } from './permit.ts';
import { limitsOn, NO_EXCLUSIONS } from './target-choice.ts';

/**
 * Where a request for a master is redirected by its head alone, as `ProxiedRequest.go` would; null if it is relayed, or
 * has to wait first. Those for Brokers are left to `ProxiedRequest`: which one it is may depend on the body.
 */
export function redirectionOf(
  {
    redirectPolicy,
    chooseTarget,
    cluster,
    random,
    options,
  }: Pick<ExchangeServices, 'redirectPolicy' | 'chooseTarget' | 'cluster' | 'random' | 'options'>,
  { method, fields }: RequestHead,
  route: ForwardRoute,
  onBehalfOf: string,
): Redirection | null {
  if (redirectPolicy === null || route.role === 'broker') return null;
  const limits = limitsOn(isLarge(route, fields.bodyLength), options);
  const target = chooseTarget(route, cluster.view, random, NO_EXCLUSIONS, limits);
  if (target.kind === 'wait') return null;
  const origin = redirectPolicy(route.role, method, onBehalfOf, target.node);
  return origin === null ? null : { node: target.node, origin };
}
