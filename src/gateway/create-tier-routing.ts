import { readFileSync } from 'node:fs';
import type { Cluster } from '../cluster/cluster.ts';
import type { NodeTls } from '../cluster/node.ts';
import type { Config } from '../config/schema.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { createTierSelector } from '../routing/tiers/create-tier-selector.ts';
import { createRulesSource, type RulesSource } from '../routing/tiers/load-rules-source.ts';
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
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  readonly random: () => number;
}

/**
 * Creates what the section `brokers` configures. Throws an Error of one sentence if the password file is
 * unreadable.
 */
export function createTierRouting(
  { brokers, upstream }: Config,
  { cluster, tls, errors, random }: TierRoutingServices,
): TierRouting {
  const { tiers, defaultService, loadRules } = brokers;
  const services = new Set(tiers.length === 0 ? [defaultService] : tiers.map(({ service }) => service));
  if (services.size === 1) return { services, tierSelector: null, rules: null };
  const rules = loadRules.enabled
    ? createRulesSource({
        cluster,
        pollIntervalMs: loadRules.pollInterval,
        timeoutMs: loadRules.timeout,
        auth: loadRules.auth === undefined ? null : credentials(loadRules.auth),
        ...(tls === undefined ? {} : { tls }),
        errors,
        now: Date.now,
        random,
      })
    : null;
  const tierSelector = createTierSelector({
    tiers: { ordered: tiers, defaultService },
    rules: brokers.rules,
    strategies: brokers.strategies,
    loadRules: rules === null ? null : { book: () => rules.book, defaultRule: loadRules.defaultRule },
    longest: upstream.bufferBody,
    now: Date.now,
  });
  return { services, tierSelector, rules };
}

interface Auth {
  readonly user: string;
  readonly passwordFile: string;
}

function credentials({ user, passwordFile }: Auth): { user: string; password: string } {
  try {
    return { user, password: readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new Error(`brokers.loadRules.auth.passwordFile: ${passwordFile} cannot be read (${code})`);
  }
}
