import type { SelectedBy, SelectedService, Strategy, Tiers } from './tier-selector.ts';

/** One entry of `brokers.strategies`. Keys of other strategy types are absent. */
export interface StrategyConfig {
  readonly type: 'timeBoundary' | 'priority' | 'manual';
  readonly minPriority?: number;
  readonly maxPriority?: number;
  readonly compatible?: boolean;
  readonly defaultManualBrokerService?: string;
  readonly sql?: boolean;
}

/** A strategy, and whether it applies to SQL. */
export interface CreatedStrategy {
  readonly choose: Strategy;
  readonly forSql: boolean;
}

/** Creates the strategy that the configuration describes. */
export function createStrategy(config: StrategyConfig): CreatedStrategy {
  switch (config.type) {
    case 'timeBoundary':
      return { choose: timeBoundary, forSql: false };
    case 'priority':
      return { choose: byPriority(config), forSql: false };
    case 'manual':
      return { choose: manual(config.defaultManualBrokerService), forSql: config.sql ?? true };
  }
}

const placed = (service: string | undefined, by: SelectedBy): SelectedService | null =>
  service === undefined ? null : { service, by, rule: null };

const timeBoundary: Strategy = ({ queryType }, { ordered }) =>
  queryType === 'timeBoundary' ? placed(ordered[0]?.service, 'timeBoundary') : null;

/**
 * Follows Druid's documentation: priorities below the minimum go to the last tier, those above the maximum to the
 * first. The Router's code sends both to the default service; `compatible` does the same.
 */
function byPriority({ minPriority = 0, maxPriority = 1, compatible = false }: StrategyConfig): Strategy {
  return ({ context }, tiers) => {
    const priority = numberOf(context.priority);
    if (priority >= minPriority && priority <= maxPriority) return null;
    if (compatible) return placed(tiers.defaultService, 'priority');
    return placed(tiers.ordered.at(priority < minPriority ? -1 : 0)?.service, 'priority');
  };
}

/** Druid also accepts numbers in quotes (QueryContexts). A query without a priority has priority 0. */
function numberOf(priority: unknown): number {
  const number = typeof priority === 'string' ? Number(priority) : priority;
  return typeof number === 'number' && Number.isFinite(number) ? number : 0;
}

/** `ManualTieredBrokerSelectorStrategy`. */
function manual(fallback: string | undefined): Strategy {
  return ({ context: { brokerService } }, tiers) => {
    const known = (service: unknown): service is string => isService(service, tiers);
    return placed([brokerService, fallback].find(known), 'manual');
  };
}

function isService(service: unknown, { ordered }: Tiers): service is string {
  return ordered.some((tier) => tier.service === service);
}
