import type { Logger } from 'pino';
import type { ReloadResult } from '../admin/reload.ts';
import { type ChangedKey, changedKeys } from '../config/diff.ts';
import type { LoadedConfig } from '../config/load.ts';
import { isReloadable, takeUp, takeUpSettings } from '../config/reloadable.ts';
import type { Config } from '../config/schema.ts';
import type { ShownSetting } from '../config/shown-settings.ts';
import type { InternalErrors } from '../faults/internal-errors.ts';
import { bounded } from '../logs/field-text.ts';
import { problemsOf } from './problems-of.ts';

/** Why the configuration is read again: SIGHUP, `POST /reload`, or a file that has changed. */
export type ReloadTrigger = 'signal' | 'request' | 'file';

/** Takes up changes of the configuration, one after the other. */
export interface Reloading {
  /** The configuration in use: keys that need a restart are as they were at the start. */
  readonly config: Config;
  /** The same for people, with the origin of each value. */
  readonly settings: readonly ShownSetting[];
  /** Whether the last attempt was taken up everywhere; true before the first. */
  readonly successful: boolean;
  /** Epoch milliseconds of the last successful attempt, or of the start. */
  readonly succeededAt: number;
  /**
   * Reads the configuration and takes it up. While one attempt runs, all further calls together get one more. Never
   * rejects.
   */
  reload(trigger: ReloadTrigger): Promise<ReloadResult>;
  /** Refuses from now on. */
  close(): void;
}

export interface ReloadingOptions {
  /** The configuration at the start. */
  readonly begun: LoadedConfig;
  /** Reads the configuration. Throws `ConfigError`. */
  readonly load: () => LoadedConfig;
  /**
   * Takes up a configuration in which keys that need a restart are unchanged. Resolves to problems of processes that
   * have not taken it. Rejects if nothing has been taken.
   */
  readonly take: (config: Config) => Promise<readonly string[]>;
  readonly logger: Logger;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

const CLOSED: ReloadResult = { reloaded: false, problems: ['the gateway is shutting down'] };
/** A longer value, as JSON, is logged as text that is cut. */
const LONGEST_VALUE = 500;

export function createReloading(options: ReloadingOptions): Reloading {
  const { load, take, logger, errors, now = Date.now } = options;
  let { config: current, settings } = options.begun;
  let successful = true;
  let succeededAt = now();
  let closed = false;
  let last: Promise<unknown> = Promise.resolve();
  /** The attempt that begins after the last one. */
  let next: Promise<ReloadResult> | null = null;

  async function attempt(trigger: ReloadTrigger): Promise<ReloadResult> {
    if (closed) return CLOSED;
    try {
      const read = load();
      const changes = changedKeys(current, read.config);
      const config = takeUp(current, read.config);
      const problems = await take(config);
      current = config;
      settings = takeUpSettings(settings, read.settings);
      return problems.length === 0
        ? accepted(trigger, changes)
        : refused(trigger, problems, 'configuration not reloaded by all workers');
    } catch (error) {
      const problems = problemsOf(error, (internal) => errors.report('admin', internal));
      return refused(trigger, problems, 'configuration not reloaded');
    }
  }

  function accepted(trigger: ReloadTrigger, changes: readonly ChangedKey[]): ReloadResult {
    const changed = changes.filter(({ path }) => isReloadable(path));
    const needsRestart = changes.filter(({ path }) => !isReloadable(path)).map(({ key }) => key);
    successful = true;
    succeededAt = now();
    logger.info({ trigger, changed: changed.map(shown), needsRestart }, 'configuration reloaded');
    return { reloaded: true, changed: changed.map(({ key }) => key), needsRestart };
  }

  function refused(trigger: ReloadTrigger, problems: readonly string[], message: string): ReloadResult {
    successful = false;
    logger.error({ trigger, problems }, message);
    return { reloaded: false, problems };
  }

  return {
    get config() {
      return current;
    },
    get settings() {
      return settings;
    },
    get successful() {
      return successful;
    },
    get succeededAt() {
      return succeededAt;
    },
    reload(trigger) {
      next ??= last.then(() => {
        next = null;
        const begun = attempt(trigger);
        last = begun;
        return begun;
      });
      return next;
    },
    close() {
      closed = true;
    },
  };
}

function shown({ key, from, to }: ChangedKey): object {
  return { key, from: shownValue(from), to: shownValue(to) };
}

function shownValue(value: unknown): unknown {
  const json = JSON.stringify(value);
  return json.length > LONGEST_VALUE ? bounded(json, LONGEST_VALUE) : value;
}
