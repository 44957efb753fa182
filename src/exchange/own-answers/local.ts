import type { ClusterView } from '../../cluster/view.ts';
import type { LocalName } from '../../routing/route.ts';
import type { ExchangeServices } from '../ports/services.ts';
import type { OwnAnswer } from './answer.ts';

/** Local paths that need Druid's answer, asked with the caller's credentials. */
export type StatusPageName = Extract<LocalName, 'status' | 'status-properties' | 'router-brokers'>;

/** Whether the answer to this path needs Druid. */
export function isStatusPage(name: LocalName): name is StatusPageName {
  return name === 'status' || name === 'status-properties' || name === 'router-brokers';
}

const DEFAULT_ALLOW = 'GET, HEAD, POST, PUT, DELETE, OPTIONS';

/** A path that needs no answer of Druid's. */
export interface LocalRoute {
  readonly name: Exclude<LocalName, StatusPageName>;
  readonly target: string;
  readonly allow?: string | undefined;
}

/** What these answers are made of. */
type LocalServices = Pick<ExchangeServices, 'cluster' | 'options' | 'draining'>;

/**
 * Answers from the view alone, as the Router does (StatusResource, SelfDiscoveryResource). `ready` turns false with the
 * beginning of a shutdown, as Druid's own does since 37 (`StatusResource.getReady`); `health` says only that the process lives.
 */
export function localAnswer(
  { name, target, allow }: LocalRoute,
  { cluster: { view }, options: { services }, draining }: LocalServices,
): OwnAnswer {
  switch (name) {
    case 'proxy-enabled':
      return { status: 200, body: '{"enabled":true}' };
    case 'status-health':
      return { status: 200, body: 'true' };
    case 'status-ready': {
      const ready = view.complete && !draining();
      return { status: ready ? 200 : 503, body: String(ready) };
    }
    case 'broker-readiness':
      // As in `BrokerResource`, the status is the whole answer. A service that gets queries must have a ready Broker.
      return { status: hasReady(view, services) ? 200 : 503, body: '' };
    case 'self-discovered':
      return { status: view.complete ? 200 : 503, body: '', headers: ['Content-Type', 'application/json'] };
    case 'self-discovered-status':
      return { status: 200, body: JSON.stringify({ selfDiscovered: view.complete }) };
    case 'base-path':
      // The target is below the base path, and becomes whole with all other answers (`base-path.ts`).
      return { status: 302, body: '', headers: ['Location', target] };
    case 'options':
      return { status: 204, body: '', headers: ['Allow', allow ?? DEFAULT_ALLOW] };
  }
}

function hasReady({ pools }: ClusterView, services: ReadonlySet<string>): boolean {
  return [...services].some((service) => (pools.get(service)?.length ?? 0) > 0);
}

/** The body of the Router's `/druid/router/v1/brokers`: the `host:port` list of each service that gets queries. */
export function brokersBody({ brokers }: ClusterView, services: ReadonlySet<string>): string {
  const named = [...services].map((service) => {
    const own = brokers.filter((broker) => broker.service === service);
    return [service, own.map(({ node }) => node.hostAndPort)] as const;
  });
  return JSON.stringify(Object.fromEntries(named));
}
