import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/schema.ts';
import { type ChangingDiscovery, createChangingDiscovery } from '../discovery/changing.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { readZooKeeperTls } from './client-tls.ts';
import { createDiscovery } from './create-discovery.ts';

/** A change of the configuration as far as discovery is concerned. Exactly one of its methods is to be called, once. */
export interface SourceChange {
  take(): void;
  abandon(): Promise<void>;
}

/** Discovery as configured, which follows the configuration. */
export interface ConfiguredDiscovery {
  readonly discovery: ChangingDiscovery;
  /**
   * Reads the files of ZooKeeper's TLS again. If the source is another one, or has other settings, it is started beside
   * the present one and read whole. Rejects with an Error of one sentence if something is unusable, or if the source
   * cannot be read in time; then nothing has changed.
   */
  prepare(current: Config, changed: Config): Promise<SourceChange>;
}

/** Creates the configured discovery, not yet started. Throws an Error of one sentence if its settings are unusable. */
export function createConfiguredDiscovery(config: Config, errors: InternalErrors): ConfiguredDiscovery {
  let tls = readZooKeeperTls(config);

  function create(of: Config, ofTls: typeof tls, reads: boolean): Discovery {
    const source: Discovery = createDiscovery(of, errors, ofTls, {
      reads,
      writes: () => discovery.uses(source),
    });
    return source;
  }

  const discovery: ChangingDiscovery = createChangingDiscovery(create(config, tls, true), { errors });

  return {
    discovery,
    async prepare(current, changed) {
      const isOther = !isDeepStrictEqual(settingsOf(current), settingsOf(changed));
      if (!isOther && isDeepStrictEqual(current.zookeeper.tls, changed.zookeeper.tls)) {
        return { take: tls.read(), abandon: async () => {} };
      }
      const changedTls = readZooKeeperTls(changed);
      const prepared = isOther
        ? await discovery.prepare(create(changed, changedTls, false), changed.discovery.type)
        : null;
      return {
        take() {
          tls = changedTls;
          prepared?.believe();
        },
        abandon: async () => prepared?.abandon(),
      };
    },
  };
}

/** All that the configured sources are made of; what is said of others does not matter. */
function settingsOf(config: Config): readonly unknown[] {
  const { discovery } = config;
  return [discovery, ...[discovery.type, ...discovery.fallback].map((type) => config[type])];
}
