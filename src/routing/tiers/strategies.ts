import type { SelectedBy, SelectedService, Strategy, Tiers } from './tier-selector.ts';

/** One entry of `brokers.strategies`; the keys of other types are not there. */
export interface StrategyConfig {
  readonly type: 'timeBoundary' | 'priority' | 'manual';
  readonly minPriority?: number;
  readonly maxPriority?: number;
  readonly compatible?: boolean;
  readonly defaultManualBrokerService?: string;
  readonly sql?: boolean;
}

/** A strategy, and whether it has a word on SQL. */
export interface CreatedStrategy {
  readonly choose: Strategy;
  readonly forSql: boolean;
}

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
 * As Druid's documentation has it: below the least priority to the last tier, above the greatest to the first one.
 * The Router's code sends both to the default service; so does this one if it is to be `compatible`.
 */
function byPriority({ minPriority = 0, maxPriority = 1, compatible = false }: StrategyConfig): Strategy {
  return ({ context }, tiers) => {
    const priority = numberOf(context.priority);
    if (priority >= minPriority && priority <= maxPriority) return null;
    if (compatible) return placed(tiers.defaultService, 'priority');
    return placed(tiers.ordered.at(priority < minPriority ? -1 : 0)?.service, 'priority');
  };
}

/** Druid takes numbers in quotes, too (QueryContexts); 0 is the priority of a query that has none. */
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
