import { readFileSync } from 'node:fs';
import { druidPropertiesLayer } from './druid-properties-layer.ts';
import { type Environment, environmentLayer } from './environment-layer.ts';
import type { Flags } from './flags.ts';
import { flagsLayer } from './flags-layer.ts';
import type { Layer } from './layer.ts';
import { derivePaths, merge } from './merge.ts';
import { givesPassword, oneSourceOfPassword } from './password.ts';
import { ConfigError, problem } from './problems.ts';
import type { Config } from './schema.ts';
import { isTree } from './tree.ts';
import { complete, validateTogether, whereOf } from './validate.ts';
import { codeOf, yamlLayer } from './yaml-layer.ts';

export interface ConfigSources {
  readonly flags?: Flags;
  readonly environment?: Environment;
  /** A YAML file. */
  readonly file?: string;
  /** Druid's `common.runtime.properties`. */
  readonly druidProperties?: string;
  /** What relative paths of flags and variables are relative to. */
  readonly cwd?: string;
}

/**
 * The configuration from all sources: flags, then environment, then the file, then Druid's own properties, then
 * defaults. Complete, checked and frozen. Throws `ConfigError` with all that is wrong.
 */
export function loadConfig(sources: ConfigSources): Config {
  const { flags = {}, environment = {}, file, druidProperties, cwd = process.cwd() } = sources;
  const sourced: Layer[] = [flagsLayer(flags, cwd), environmentLayer(environment, cwd)];
  if (file !== undefined) sourced.push(yamlLayer(file, cwd));
  if (druidProperties !== undefined) {
    const needsPassword = !sourced.some(givesPassword);
    sourced.push(druidPropertiesLayer(druidProperties, { cwd, environment, needsPassword }));
  }
  const layers = oneSourceOfPassword(sourced);
  const early = layers.flatMap(({ problems }) => problems);
  const merged = merge(layers.map(({ value }) => value));
  // A copy, as defaults are filled into it, and messages look at what the layers say.
  const tree = derivePaths(structuredClone(isTree(merged) ? merged : {}));
  const wrong = complete(tree, layers);
  const problems = [...early, ...wrong, ...(wrong.length === 0 ? validateTogether(tree, layers) : [])];
  if (problems.length > 0) throw new ConfigError(problems);
  return freeze(withSecrets(tree as unknown as Config, layers));
}

/** Secrets that files hold, in their places. */
function withSecrets(config: Config, layers: readonly Layer[]): Config {
  const { auth } = config.zookeeper;
  if (auth?.passwordFile === undefined) return config;
  const { passwordFile, ...rest } = auth;
  const path = ['zookeeper', 'auth', 'passwordFile'];
  let password: string;
  try {
    password = readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const what = `${passwordFile} cannot be read (${codeOf(error)})`;
    throw new ConfigError([problem(whereOf(path, layers), path.join('.'), what)]);
  }
  if (password === '') {
    throw new ConfigError([problem(whereOf(path, layers), path.join('.'), `${passwordFile} is empty`)]);
  }
  return { ...config, zookeeper: { ...config.zookeeper, auth: { ...rest, password } } };
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) freeze(item);
  }
  return value;
}
