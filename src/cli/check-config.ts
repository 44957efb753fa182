import { stringify } from 'yaml';
import { dangerousSettings } from '../config/dangerous-settings.ts';
import { loadConfig } from '../config/load.ts';
import { redact } from '../config/redact.ts';
import type { SourceArguments } from './arguments.ts';

/** What `check-config` says of a configuration that is right. */
export interface CheckedConfig {
  readonly text: string;
  /** One sentence for each setting that is dangerous. */
  readonly warnings: readonly string[];
}

/** Throws `ConfigError` when the configuration is not right. */
export function checkConfig(sources: SourceArguments, print: boolean): CheckedConfig {
  const config = loadConfig({ ...sources, environment: process.env });
  return {
    text: print ? stringify(redact(config)) : 'The configuration is valid.\n',
    warnings: dangerousSettings(config).map(({ sentence }) => sentence),
  };
}
