import type { ForwardRoute } from '../route.ts';
import type { QueryKind, QueryTraits } from './query-traits.ts';

/**
 * What chose a Broker service: one of the gateway's own rules, a strategy, the Coordinator's load rules, or the
 * default.
 */
export type SelectedBy = 'rule' | 'timeBoundary' | 'priority' | 'manual' | 'loadRules' | 'default';

/** The Broker service chosen for a request. */
export interface SelectedService {
  readonly service: string;
  readonly by: SelectedBy;
  /** Number of the rule, from 1; null if no rule chose. */
  readonly rule: number | null;
}

/** The parts of a request that its service is chosen by. */
export interface SelectionInput {
  readonly route: ForwardRoute;
  readonly header: (lowerName: string) => string | null;
  /** Empty if the body is not read because it is larger than `upstream.bufferBody`. */
  readonly body: Buffer;
}

/** One tier and its Broker service. */
export interface Tier {
  readonly tier: string;
  readonly service: string;
}

export interface Tiers {
  readonly ordered: readonly Tier[];
  readonly defaultService: string;
}

/** The service that a strategy chooses for a query; null leaves the choice to the next strategy. */
export type Strategy = (query: QueryTraits, tiers: Tiers) => SelectedService | null;

/** Chooses the Broker service of each request. Not used if there is only one service. */
export interface TierSelector {
  /** Whether the choice needs the request's body. */
  needsBody(route: ForwardRoute): boolean;
  select(request: SelectionInput): SelectedService;
  /**
   * Chooses by the gateway's own rules alone; null if none matches. For JDBC connections, whose Broker a hash
   * picks.
   */
  selectByRule(request: SelectionInput): SelectedService | null;
}

/** Whether the request carries a native or an SQL query; null if neither. */
export function queryKindOf({ class: routeClass, target }: ForwardRoute): QueryKind | null {
  if (routeClass !== 'query' && routeClass !== 'statement') return null;
  return /^\/druid\/v2\/sql(?:[/?]|$)/.test(target) ? 'sql' : 'native';
}
