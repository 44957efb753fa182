import { readFileSync } from 'node:fs';
import { druidPropertiesSource } from './druid-properties-source.ts';
import { type Environment, environmentSource, ownVariables } from './environment-source.ts';
import type { Flags } from './flags.ts';
import { flagsSource } from './flags-source.ts';
import { derivePaths, deriveWaits, merge } from './merge.ts';
import { otelEnvironmentSource } from './otel-environment-source.ts';
import { givesPassword, oneSourceOfPassword } from './password.ts';
import { ConfigError, problem } from './problems.ts';
import type { Config } from './schema.ts';
import { isTree, type Path, valueAt } from './schema-walk.ts';
import { type ShownSetting, showSettings } from './shown-settings.ts';
import type { ConfigSource } from './source.ts';
import { complete, validateSections, validateTogether, whereOf } from './validate.ts';
import { codeOf, yamlSource } from './yaml-source.ts';

export interface ConfigSources {
  readonly flags?: Flags;
  readonly environment?: Environment;
  /** A YAML file. */
  readonly file?: string;
  /** Druid's `common.runtime.properties`. */
  readonly druidProperties?: string;
  /** Base of relative paths in flags and variables. */
  readonly cwd?: string;
  /** Called with the name of each variable that may hold a secret, to keep it from processes that need none. */
  readonly onSecretVariable?: (name: string) => void;
}

export interface LoadedConfig {
  /** Complete, validated and frozen. */
  readonly config: Config;
  /** All settings with the source of each, for people; secrets are hidden. */
  readonly settings: readonly ShownSetting[];
}

/** Loads the configuration like `loadWithOrigins`, without the sources of the settings. */
export function loadConfig(given: ConfigSources): Config {
  return loadWithOrigins(given).config;
}

/**
 * Loads the configuration from all sources: flags first, then environment, the file, OpenTelemetry's variables where
 * tracing is on, Druid's own properties, and defaults. Throws `ConfigError` with all problems found.
 */
export function loadWithOrigins(given: ConfigSources): LoadedConfig {
  const { flags = {}, environment = {}, file, druidProperties, cwd = process.cwd() } = given;
  const { onSecretVariable = () => {} } = given;
  const read: ConfigSource[] = [flagsSource(flags, cwd), environmentSource(environment, cwd)];
  if (file !== undefined) read.push(yamlSource(file, cwd));
  const traces = read.map(({ value }) => valueAt(value, ['tracing', 'enabled'])).find((on) => on != null);
  if (traces === true) {
    const otel = otelEnvironmentSource(environment, cwd, onSecretVariable);
    // The switch of OpenTelemetry's is there to be stronger than what it switches off.
    const isOff = valueAt(otel.value, ['tracing', 'enabled']) === false;
    if (isOff) read.unshift(otel);
    else read.push(otel);
  }
  if (druidProperties !== undefined) {
    const needsPassword = !read.some(givesPassword);
    read.push(druidPropertiesSource(druidProperties, { cwd, environment, needsPassword, onSecretVariable }));
  }
  for (const name of ownVariables(environment)) onSecretVariable(name);
  const sources = oneSourceOfPassword(read);
  const early = sources.flatMap(({ problems }) => problems);
  const merged = merge(sources.map(({ value }) => value));
  const givenTree = deriveWaits(derivePaths(isTree(merged) ? merged : {}));
  // A copy, because defaults are filled into it while messages refer to what the sources say.
  const tree = structuredClone(givenTree);
  const wrong = [...validateSections(sources), ...complete(tree, sources)];
  const problems = [...early, ...wrong, ...(wrong.length === 0 ? validateTogether(tree, sources) : [])];
  if (problems.length > 0) throw new ConfigError(problems);
  const config = tree as unknown as Config;
  // Before files of secrets are read: people see the file's name.
  const settings = showSettings(config, (path) => originOf(path, givenTree, sources));
  return { config: freeze(withSecrets(config, sources)), settings };
}

/** Returns the source of a value, for people. A value that no source has, but that is no default, is derived. */
function originOf(path: Path, givenTree: unknown, sources: readonly ConfigSource[]): string {
  const where = whereOf(path, sources);
  if (where !== '') return where;
  if (valueAt(givenTree, path) === undefined) return 'default';
  return path[0] === 'zookeeper' ? 'derived from zookeeper.basePath' : 'derived from discovery.type';
}

/** Replaces files of secrets by their content. Throws `ConfigError` if a file cannot be read or is empty. */
function withSecrets(config: Config, sources: readonly ConfigSource[]): Config {
  const { auth } = config.zookeeper;
  if (auth?.passwordFile === undefined) return config;
  const { passwordFile, ...rest } = auth;
  const path = ['zookeeper', 'auth', 'passwordFile'];
  let password: string;
  try {
    password = readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const what = `${passwordFile} cannot be read (${codeOf(error)})`;
    throw new ConfigError([problem(whereOf(path, sources), path.join('.'), what)]);
  }
  if (password === '') {
    throw new ConfigError([problem(whereOf(path, sources), path.join('.'), `${passwordFile} is empty`)]);
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
