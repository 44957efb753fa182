import { stringify } from 'yaml';
import { loadConfig } from '../config/load.ts';
import { redact } from '../config/redact.ts';
import type { SourceArguments } from './arguments.ts';

/** What `check-config` prints when the configuration is right. Throws `ConfigError` when it is not. */
export function checkConfig(sources: SourceArguments, print: boolean): string {
  const config = loadConfig({ ...sources, environment: process.env });
  return print ? stringify(redact(config)) : 'The configuration is valid.\n';
}
