import { type RuleBook, tiersFor } from './load-rules.ts';
import { type QueryTraits, traitsOf } from './query-traits.ts';
import { compileRule, type PlacementRule } from './rules.ts';
import { createStrategy, type StrategyConfig } from './strategies.ts';
import {
  queryKindOf,
  type SelectedService,
  type SelectionInput,
  type TierSelector,
  type Tiers,
} from './tier-selector.ts';

export interface TierSelectorOptions {
  readonly tiers: Tiers;
  readonly rules: readonly PlacementRule[];
  readonly strategies: readonly StrategyConfig[];
  /** The Coordinator's load rules, as far as known; null if they are not used. */
  readonly loadRules: { readonly book: () => RuleBook | null; readonly defaultRule: string } | null;
  /** Longest query that is read, in bytes after inflating. */
  readonly longest: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Tries the gateway's own rules first, then strategies, then load rules; see `TierSelector`. */
export function createTierSelector({ tiers, longest, now, ...options }: TierSelectorOptions): TierSelector {
  const rules = options.rules.map(compileRule);
  const strategies = options.strategies.map(createStrategy);
  const rulesRead = rules.some(({ query }) => query !== null);
  const reads = {
    native: rulesRead || strategies.length > 0 || options.loadRules !== null,
    sql: rulesRead || strategies.some(({ forSql }) => forSql),
  };
  const byDefault: SelectedService = { service: tiers.defaultService, by: 'default', rule: null };

  function read({ route, header, body }: SelectionInput): QueryTraits | null {
    const kind = queryKindOf(route);
    return kind === null || !reads[kind] ? null : traitsOf(kind, body, header('content-type'), longest);
  }

  function byRule(request: SelectionInput, query: QueryTraits | null): SelectedService | null {
    const found = rules.findIndex(
      (rule) => rule.head(request) && (rule.query === null || (query !== null && rule.query(query))),
    );
    const service = rules[found]?.service;
    return service === undefined ? null : { service, by: 'rule', rule: found + 1 };
  }

  function byStrategy(query: QueryTraits): SelectedService | null {
    for (const { choose, forSql } of strategies) {
      const placement = query.kind === 'sql' && !forSql ? null : choose(query, tiers);
      if (placement !== null) return placement;
    }
    return null;
  }

  /** Chooses the first tier, in order, that has the data. */
  function byLoadRules({ kind, datasources, intervals }: QueryTraits): SelectedService | null {
    const book = options.loadRules?.book() ?? null;
    if (book === null || kind !== 'native' || intervals === null) return null;
    const defaultRule = options.loadRules?.defaultRule ?? '';
    const having = tiersFor(book, datasources[0], intervals, { defaultRule, now: now() });
    const tier = tiers.ordered.find((candidate) => having?.has(candidate.tier));
    return tier === undefined ? null : { service: tier.service, by: 'loadRules', rule: null };
  }

  return {
    needsBody(route) {
      const kind = queryKindOf(route);
      return kind !== null && reads[kind];
    },
    select(request) {
      const query = read(request);
      return (
        byRule(request, query) ??
        (query === null ? null : (byStrategy(query) ?? byLoadRules(query))) ??
        byDefault
      );
    },
    selectByRule: (request) => byRule(request, null),
  };
}
