import { isTree, type Path, type Tree } from './schema-walk.ts';

/** The keys of a strategy besides its type. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  timeBoundary: [],
  priority: ['minPriority', 'maxPriority', 'compatible'],
  manual: ['defaultManualBrokerService', 'sql'],
};

/** Validates a section `brokers` that fits the schema. Calls `add` with each problem's path below the section. */
export function validateBrokers(brokers: Tree, add: (path: Path, what: string) => void): void {
  const tiers = list(brokers.tiers);
  const services = new Set(
    tiers.length === 0 ? [brokers.defaultService] : tiers.map(({ service }) => service),
  );
  const named = `expected one of ${[...services].join(', ')}`;
  const names = new Set<unknown>();
  for (const [i, { tier }] of tiers.entries()) {
    if (names.has(tier)) add(['tiers', i, 'tier'], `there are two tiers ${String(tier)}`);
    names.add(tier);
  }
  if (!services.has(brokers.defaultService)) {
    add(['defaultService'], `${String(brokers.defaultService)} is no service of brokers.tiers; ${named}`);
  }
  for (const [i, { match, service }] of list(brokers.rules).entries()) {
    const wanted = isTree(match) ? match : {};
    if (Object.keys(wanted).length === 0) {
      add(['rules', i, 'match'], 'is empty; expected at least one thing that must match');
    }
    if (wanted.contextValue !== undefined && wanted.contextKey === undefined) {
      add(['rules', i, 'match', 'contextValue'], 'needs a contextKey');
    }
    if (!services.has(service)) {
      add(['rules', i, 'service'], `${String(service)} is no service of brokers.tiers; ${named}`);
    }
  }
  for (const [i, strategy] of list(brokers.strategies).entries()) {
    validateStrategy(strategy, (path, what) => add(['strategies', i, ...path], what));
    const manual = strategy.defaultManualBrokerService;
    if (manual !== undefined && !services.has(manual)) {
      add(
        ['strategies', i, 'defaultManualBrokerService'],
        `${String(manual)} is no service of brokers.tiers; ${named}`,
      );
    }
  }
}

function validateStrategy(strategy: Tree, add: (path: Path, what: string) => void): void {
  const { type, minPriority = 0, maxPriority = 1 } = strategy;
  for (const key of Object.keys(strategy)) {
    if (key !== 'type' && OPTIONS[String(type)]?.includes(key) !== true) {
      add([key], `is not for a strategy of type ${String(type)}`);
    }
  }
  if (Number(minPriority) > Number(maxPriority)) add(['minPriority'], 'is above maxPriority');
}

function list(value: unknown): readonly Tree[] {
  return Array.isArray(value) ? value.filter(isTree) : [];
}
