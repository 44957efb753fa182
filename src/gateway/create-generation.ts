import type { Logger } from 'pino';
import type { NodeTls } from '../cluster/node.ts';
import type { Config } from '../config/schema.ts';
import { createCorsPolicy } from '../exchange/cors.ts';
import { createExchange, type Exchange } from '../exchange/exchange.ts';
import { createExplain, type Explain } from '../exchange/explain/explain.ts';
import type { ExchangeOptions, ExchangeServices } from '../exchange/ports/services.ts';
import { createAccessLog } from '../logs/access-log.ts';
import { createAddressSet } from '../net/address-set.ts';
import { belowBasePath } from '../routing/base-path.ts';
import { createRedirectPolicy, type Mode } from '../routing/redirect/redirect-policy.ts';
import { rememberRoutes } from '../routing/remembered-routes.ts';
import { createRouter } from '../routing/router.ts';
import { chooseTarget } from '../routing/target.ts';
import type { RulesSource } from '../routing/tiers/load-rules-source.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { createTierRouting, type TierRouting } from './create-tier-routing.ts';
import { perRole } from './per-role.ts';

/** What lasts over changes of the configuration. */
export interface GenerationServices
  extends Omit<
    ExchangeServices,
    'route' | 'chooseTarget' | 'tierSelector' | 'redirectPolicy' | 'options' | 'tracer' | 'spans'
  > {
  readonly logger: Logger;
  /** Null if there are no spans. */
  readonly tracing: Pick<Tracing, 'tracer'> | null;
  /** Whether clients come by TLS. */
  readonly encrypted: boolean;
  /** Options of connections to nodes, if TLS is configured. */
  readonly tls?: NodeTls;
}

/**
 * What one configuration decides about requests. A request ends in the generation in which it began, which is then
 * collected as garbage: a generation listens to nothing and has no timer, besides its load rules.
 */
export interface Generation {
  readonly exchange: Exchange;
  /** Explains what would become of a request in this generation. */
  readonly explain: Explain;
  /** Not started yet, unless they are those of the generation before. Null if load rules are not used. */
  readonly rules: RulesSource | null;
}

/**
 * Creates a generation. `former` is the one that it will replace, if there is one. Throws an Error of one sentence if a
 * configured file is unusable; the former generation is then as it was.
 */
export function createGeneration(
  config: Config,
  services: GenerationServices,
  former: Generation | null,
): Generation {
  const { cluster, errors, tls, random } = services;
  const { access, sampling } = config.log;
  const accessLog = createAccessLog(services.logger, {
    everything: access,
    ratio: sampling.ratio,
    slowMs: sampling.slow,
  });
  const { sampleRatio, followParent } = config.tracing;
  const tierRouting = createTierRouting(config, {
    cluster,
    errors,
    random,
    formerRules: former?.rules ?? null,
    ...(tls === undefined ? {} : { tls }),
  });
  const exchangeServices: ExchangeServices = {
    ...services,
    route: rememberRoutes(
      belowBasePath(createRouter({ allow: config.routes.allow }), config.listen.basePath),
    ),
    chooseTarget,
    tierSelector: tierRouting.tierSelector,
    redirectPolicy: createRedirectPolicy({ mode: config.mode, ...config.redirect }),
    options: exchangeOptions(config, tierRouting),
    tracer: services.tracing?.tracer({ ratio: sampleRatio, followParent }) ?? null,
    sink(record) {
      services.sink(record);
      // As `contain` does, without closures for each request.
      try {
        accessLog(record);
      } catch (error) {
        errors.report('log', error, record.id);
      }
    },
  };
  const always: Mode = 'redirect';
  const explain = createExplain({
    exchange: exchangeServices,
    inRedirectMode: createRedirectPolicy({
      mode: { coordinator: always, overlord: always, broker: always },
      ...config.redirect,
    }),
    loadRulesAgeMs: () => tierRouting.rules?.ageMs ?? null,
    encrypted: services.encrypted,
    now: Date.now,
  });
  return { exchange: createExchange(exchangeServices), explain, rules: tierRouting.rules };
}

function exchangeOptions(
  { admin, brokers, cors, forwarded, limits, listen, log, parking, queries, upstream }: Config,
  { services }: TierRouting,
): ExchangeOptions {
  return {
    defaultService: brokers.defaultService,
    services,
    bufferBodyBytes: upstream.bufferBody,
    maxWaitMs: parking.maxWait,
    maxWaitByRole: perRole((role) => parking[role]?.maxWait),
    maxWaitStaleMs: parking.maxWaitStale,
    maxQueueMs: limits.queue.maxWait,
    timeoutSlackMs: queries.timeoutSlack,
    totalTimeoutMs: upstream.totalTimeout,
    abandonedTimeoutMs: upstream.abandonedTimeout,
    timeoutsByClass: upstream.byClass,
    cancelOnDisconnect: {
      native: queries.native?.cancelOnDisconnect ?? queries.cancelOnDisconnect,
      sql: queries.sql?.cancelOnDisconnect ?? queries.cancelOnDisconnect,
    },
    resetIncomplete: queries.resetIncomplete,
    showNode: upstream.showNode,
    maxPerNode: upstream.maxRequestsPerNode,
    maxPerNodeForLarge: Math.max(1, Math.floor(upstream.maxRequestsPerNode * limits.concurrency.largeShare)),
    basePath: listen.basePath,
    cors: createCorsPolicy({ ...cors, maxAgeMs: cors.maxAge }),
    trusts: trustedHops(forwarded),
    forwardedHeader: forwarded.header,
    showsView: createAddressSet(admin.viewClients),
    namesUser: log.user,
  };
}

/** Decides which hops are our proxies: the nearest `hops`, or those in the trusted networks. */
function trustedHops({ hops, trust }: Config['forwarded']): ExchangeOptions['trusts'] {
  return hops > 0 ? (_, hop) => hop < hops : createAddressSet(trust);
}
