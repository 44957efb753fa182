import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Cluster } from '../cluster/cluster.ts';
import type { NodeTls } from '../cluster/node.ts';
import type { Config } from '../config/schema.ts';
import { codeOf } from '../config/yaml-source.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { createTierSelector } from '../routing/tiers/create-tier-selector.ts';
import {
  createRulesSource,
  type RulesSettings,
  type RulesSource,
} from '../routing/tiers/load-rules-source.ts';
import type { TierSelector } from '../routing/tiers/tier-selector.ts';

export interface TierRouting {
  /** The Broker services that get requests. */
  readonly services: ReadonlySet<string>;
  /** Null if there is only one service: then nothing is chosen, read or polled. */
  readonly tierSelector: TierSelector | null;
  /** Null if load rules are not used. */
  readonly rules: RulesSource | null;
}

export interface TierRoutingServices {
  readonly cluster: Cluster;
  readonly tls?: NodeTls;
  /** The source of load rules until now: kept if it reads them as configured, otherwise its rules hold at first. */
  readonly formerRules?: RulesSource | null;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  readonly random: () => number;
}

/**
 * Creates what the section `brokers` configures. Throws an Error of one sentence if the password file is
 * unreadable.
 */
export function createTierRouting({ brokers, upstream }: Config, services: TierRoutingServices): TierRouting {
  const { tiers, defaultService, loadRules } = brokers;
  const names = serviceNames(brokers);
  if (names.size === 1) return { services: names, tierSelector: null, rules: null };
  const settings = rulesSettings(brokers);
  const rules = settings === null ? null : rulesSource(settings, services);
  const tierSelector = createTierSelector({
    tiers: { ordered: tiers, defaultService },
    rules: brokers.rules,
    strategies: brokers.strategies,
    loadRules: rules === null ? null : { book: () => rules.book, defaultRule: loadRules.defaultRule },
    longest: upstream.bufferBody,
    now: Date.now,
  });
  return { services: names, tierSelector, rules };
}

/**
 * Returns how load rules are read; null if they are not. Throws an Error of one sentence if the password file is
 * unreadable.
 */
export function rulesSettings(brokers: Config['brokers']): RulesSettings | null {
  const { enabled, pollInterval, timeout, auth } = brokers.loadRules;
  if (!enabled || serviceNames(brokers).size === 1) return null;
  return {
    pollIntervalMs: pollInterval,
    timeoutMs: timeout,
    auth: auth === undefined ? null : credentials(auth),
  };
}

function serviceNames({ tiers, defaultService }: Config['brokers']): ReadonlySet<string> {
  return new Set(tiers.length === 0 ? [defaultService] : tiers.map(({ service }) => service));
}

function rulesSource(
  settings: RulesSettings,
  { cluster, tls, formerRules: former = null, errors, random }: TierRoutingServices,
): RulesSource {
  if (former !== null && isDeepStrictEqual(former.settings, settings)) return former;
  return createRulesSource({
    cluster,
    settings,
    former,
    ...(tls === undefined ? {} : { tls }),
    errors,
    now: Date.now,
    random,
  });
}

interface Auth {
  readonly user: string;
  readonly passwordFile: string;
}

function credentials({ user, passwordFile }: Auth): { user: string; password: string } {
  try {
    return { user, password: readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '') };
  } catch (error) {
    throw new Error(`brokers.loadRules.auth.passwordFile: ${passwordFile} cannot be read (${codeOf(error)})`);
  }
}
