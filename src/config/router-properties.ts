import { parsePeriod } from '../time/intervals.ts';
import type { Path } from './schema-walk.ts';

/** Reads properties of Druid's Router, and receives the settings found and what is wrong with them. */
export interface RouterProperties {
  readonly get: (name: string) => string | undefined;
  readonly set: (path: Path, name: string, value: unknown) => void;
  readonly refuse: (name: string, what: string) => void;
}

const ROUTER = 'druid.router';
const TIERS = `${ROUTER}.tierToBrokerMap`;
const STRATEGIES = `${ROUTER}.strategies`;
const POLL_PERIOD = `${ROUTER}.pollPeriod`;

/** Translates `TieredBrokerConfig`: which Brokers get which queries. */
export function routerProperties({ get, set, refuse }: RouterProperties): void {
  const plain = { defaultBrokerServiceName: ['defaultService'], defaultRule: ['loadRules', 'defaultRule'] };
  for (const [key, path] of Object.entries(plain)) {
    const value = get(`${ROUTER}.${key}`)?.trim();
    if (value) set(['brokers', ...path], `${ROUTER}.${key}`, value);
  }
  const json = (name: string): unknown => {
    const text = get(name)?.trim();
    if (!text) return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch {
      refuse(name, 'is no valid JSON');
      return undefined;
    }
  };
  const tiers = json(TIERS);
  if (tiers !== undefined) set(['brokers', 'tiers'], TIERS, tiers);
  const strategies = json(STRATEGIES);
  if (Array.isArray(strategies)) {
    // The Router applies its strategies to SQL only if this is enabled.
    const sql = get(`${ROUTER}.sql.enable`)?.trim().toLowerCase() === 'true';
    set(
      ['brokers', 'strategies'],
      STRATEGIES,
      strategies.map((strategy) => translated(strategy, sql)),
    );
  } else if (strategies !== undefined) refuse(STRATEGIES, 'is no list of strategies');
  const period = get(POLL_PERIOD)?.trim();
  if (!period) return;
  const parsed = parsePeriod(period);
  if (parsed === null || parsed.years > 0 || parsed.months > 0) {
    refuse(POLL_PERIOD, 'is no duration such as PT1M');
  } else set(['brokers', 'loadRules', 'pollInterval'], POLL_PERIOD, parsed.milliseconds);
}

function translated(strategy: unknown, sql: boolean): unknown {
  if (typeof strategy !== 'object' || strategy === null) return strategy;
  const given = Object.entries(strategy).filter(([, value]) => value !== null);
  const { type } = strategy as { type?: unknown };
  return { ...Object.fromEntries(given), ...(type === 'manual' ? { sql } : {}) };
}
