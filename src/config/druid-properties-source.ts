import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { getProperties } from 'properties-file';
import type { Environment } from './environment-source.ts';
import { problem } from './problems.ts';
import { routerProperties } from './router-properties.ts';
import type { Path } from './schema-walk.ts';
import { expand } from './shorthand.ts';
import { type ConfigSource, type Setting, sourceOf } from './source.ts';
import { codeOf } from './yaml-source.ts';

const SERVICE = 'druid.zk.service';

/** Properties of `CuratorConfig` and `ZkPathsConfig`, and the paths they set. */
const PATHS: Readonly<Record<string, Path>> = {
  [`${SERVICE}.host`]: ['zookeeper', 'connect'],
  [`${SERVICE}.sessionTimeoutMs`]: ['zookeeper', 'sessionTimeout'],
  'druid.zk.paths.base': ['zookeeper', 'basePath'],
  'druid.zk.paths.coordinatorPath': ['zookeeper', 'coordinatorPath'],
};

const K8S = 'druid.discovery.k8s';
const CONSUL = 'druid.discovery.consul';

/** By `druid.discovery.type`: properties of `K8sDiscoveryConfig` and `ConsulDiscoveryConfig`. */
const SOURCES: Readonly<
  Record<string, { readonly type: string; readonly paths: Readonly<Record<string, Path>> }>
> = {
  k8s: {
    type: 'kubernetes',
    paths: {
      [`${K8S}.clusterIdentifier`]: ['kubernetes', 'clusterIdentifier'],
      [`${K8S}.coordinatorLeaderElectionConfigMapNamespace`]: ['kubernetes', 'coordinatorNamespace'],
      [`${K8S}.overlordLeaderElectionConfigMapNamespace`]: ['kubernetes', 'overlordNamespace'],
    },
  },
  // Not the agent: each machine has its own.
  consul: {
    type: 'consul',
    paths: {
      [`${CONSUL}.service.servicePrefix`]: ['consul', 'servicePrefix'],
      [`${CONSUL}.service.datacenter`]: ['consul', 'datacenter'],
      [`${CONSUL}.leader.coordinatorLeaderLockPath`]: ['consul', 'coordinatorKey'],
      [`${CONSUL}.leader.overlordLeaderLockPath`]: ['consul', 'overlordKey'],
    },
  },
};

export interface DruidPropertiesOptions {
  readonly cwd: string;
  /** Variables for `${env:...}` and environment password providers. */
  readonly environment: Environment;
  /** False if another source has given the password; then `pwd` is ignored, even if it is invalid. */
  readonly needsPassword: boolean;
  /** Called with the name of each variable that holds the password, or a part of it. */
  readonly onSecretVariable: (name: string) => void;
}

type Read = (variable: string) => string | undefined;
type Refuse = (what: string) => void;

/**
 * Reads Druid's own `common.runtime.properties`: settings of ZooKeeper, Kubernetes or Consul, and the Router's. Problems with the file are in
 * the source's `problems`.
 */
export function druidPropertiesSource(
  file: string,
  { cwd, environment, needsPassword, onSecretVariable }: DruidPropertiesOptions,
): ConfigSource {
  const settings: Setting[] = [];
  const problems: string[] = [];
  let properties: Readonly<Record<string, string>>;
  try {
    properties = getProperties(readFileSync(resolve(cwd, file), 'utf8'));
  } catch (error) {
    return sourceOf([], (tree) => tree, [problem(file, '', `cannot be read (${codeOf(error)})`)]);
  }
  const refuse = (name: string, what: string): void => void problems.push(problem(file, name, what));
  const get = (name: string): string | undefined => {
    const text = properties[name];
    return text === undefined ? undefined : substitute(text, read, (what) => refuse(name, what));
  };
  const read: Read = (variable) => environment[variable];
  const readSecret: Read = (variable) => {
    onSecretVariable(variable);
    return read(variable);
  };
  const set = (path: Path, name: string, value: unknown): void => {
    settings.push({ path, value, where: `${file}: ${name}` });
  };
  const source = SOURCES[get('druid.discovery.type')?.trim() ?? ''];
  if (source !== undefined) {
    set(['discovery', 'type'], 'druid.discovery.type', source.type);
    for (const [name, path] of Object.entries(source.paths)) {
      const value = get(name)?.trim();
      if (value !== undefined && value !== '') set(path, name, value);
    }
  } else if (get(`${SERVICE}.enabled`)?.trim().toLowerCase() === 'false') {
    refuse(
      `${SERVICE}.enabled`,
      'this cluster does not use ZooKeeper, nor Kubernetes or Consul (druid.discovery.type); leave its properties out and name its nodes with discovery.type static',
    );
  }
  for (const [name, path] of Object.entries(PATHS)) {
    const value = get(name)?.trim();
    if (value === undefined || value === '') continue;
    set(path, name, name.endsWith('Ms') && /^\d{1,9}$/.test(value) ? Number(value) : value);
  }
  const user = get(`${SERVICE}.user`);
  // Evaluated even if not needed, to find the variables that hold it.
  const pwd = passwordOf(properties[`${SERVICE}.pwd`], readSecret, (what) => {
    if (needsPassword) refuse(`${SERVICE}.pwd`, what);
  });
  const password = needsPassword ? pwd : undefined;
  // Druid authenticates only when it has both.
  if (user && (password || !needsPassword)) {
    set(['zookeeper', 'auth', 'user'], `${SERVICE}.user`, user);
    if (password) set(['zookeeper', 'auth', 'password'], `${SERVICE}.pwd`, password);
    const scheme = get(`${SERVICE}.authScheme`);
    if (scheme) set(['zookeeper', 'auth', 'scheme'], `${SERVICE}.authScheme`, scheme);
  }
  routerProperties({ get, set, refuse });
  return sourceOf(settings, (tree) => expand(tree, cwd), problems);
}

/** Evaluates Druid's `PasswordProvider`: plain text, or JSON that says where the password is. */
function passwordOf(written: string | undefined, read: Read, refuse: Refuse): string | undefined {
  const text = written === undefined ? undefined : substitute(written, read, refuse);
  if (text === undefined || !text.trimStart().startsWith('{')) return text;
  let provider: { type?: unknown; password?: unknown; variable?: unknown };
  try {
    provider = JSON.parse(text) as typeof provider;
  } catch {
    // The message does not quote the text, which may hold the password.
    refuse('is no valid JSON of a password provider');
    return undefined;
  }
  const { type = 'default', password, variable } = provider;
  if (type === 'default' && typeof password === 'string') return password;
  if (type === 'environment' && typeof variable === 'string') {
    const value = read(variable);
    if (value === undefined) refuse(`the environment variable ${variable} is not set`);
    return value;
  }
  refuse(
    'is a password provider other than default and environment; give the password as zookeeper.auth.password',
  );
  return undefined;
}

/** Replaces `${env:NAME}` and the like, as Druid does in its properties (`PropertiesModule`). */
function substitute(text: string, read: Read, refuse: Refuse): string {
  return text.replaceAll(/\$\{(\w+):([^}]*)\}/g, (whole, kind: string, rest: string) => {
    const [name = '', fallback] = rest.split(':-');
    if (kind === 'env') {
      const value = read(name) ?? fallback;
      if (value === undefined) refuse(`the environment variable ${name} is not set`);
      return value ?? whole;
    }
    refuse(`\${${kind}:...} cannot be resolved here; only \${env:...} can`);
    return whole;
  });
}
