import type { ForwardRoute } from '../route.ts';
import type { QueryKind, QueryTraits } from './query-traits.ts';

/** What chose a Broker service: a rule of the gateway's own, a strategy, the Coordinator's load rules, or nothing. */
export type SelectedBy = 'rule' | 'timeBoundary' | 'priority' | 'manual' | 'loadRules' | 'default';

/** The Broker service that a request is for. */
export interface SelectedService {
  readonly service: string;
  readonly by: SelectedBy;
  /** Number of the rule, from 1. */
  readonly rule: number | null;
}

/** What is known of a request when its service is chosen. */
export interface SelectionInput {
  readonly route: ForwardRoute;
  readonly header: (lowerName: string) => string | null;
  /** Empty where it is not read: larger than `upstream.bufferBody`. */
  readonly body: Buffer;
}

/** A Broker service for each tier, the first tier first. */
export interface Tier {
  readonly tier: string;
  readonly service: string;
}

export interface Tiers {
  readonly ordered: readonly Tier[];
  readonly defaultService: string;
}

/** The service that a strategy chooses for a query; null leaves that to the next one. */
export type Strategy = (query: QueryTraits, tiers: Tiers) => SelectedService | null;

/** Chooses the Broker service of each request. There is none where there is one service only. */
export interface TierSelector {
  /** Whether the choice waits for the request's body. */
  needsBody(route: ForwardRoute): boolean;
  select(request: SelectionInput): SelectedService;
  /** By the gateway's own rules alone, and null where none matches: JDBC connections go by a hash. */
  selectByRule(request: SelectionInput): SelectedService | null;
}

/** How the query is written that a request carries, or null where it carries none. */
export function queryKindOf({ class: routeClass, target }: ForwardRoute): QueryKind | null {
  if (routeClass !== 'query' && routeClass !== 'statement') return null;
  return /^\/druid\/v2\/sql(?:[/?]|$)/.test(target) ? 'sql' : 'native';
}
