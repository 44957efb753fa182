import { nearestKey } from './nearest.ts';
import { problem } from './problems.ts';
import { check, type ErrorObject } from './schema-check.ts';
import {
  formatPath,
  isTree,
  keys,
  type Path,
  ROOT,
  type SchemaNode,
  schemaAt,
  valueAt,
} from './schema-walk.ts';
import type { ConfigSource } from './source.ts';
import { validateBrokers } from './validate-brokers.ts';
import { validateHaproxy, validateKubernetesFeed } from './validate-feeds.ts';
import { validateListeners } from './validate-listeners.ts';

/**
 * Fills defaults into a tree in place; optional sections get them only if they are given. Returns all problems, each
 * with the place where the value was written. A value that does not fit the schema stays as it is.
 */
export function complete(tree: unknown, sources: readonly ConfigSource[]): string[] {
  if (check(tree)) return [];
  const problems = (check.errors ?? []).map((error) => describe(error, tree, sources));
  return [...new Set(problems)];
}

function describe(error: ErrorObject, tree: unknown, sources: readonly ConfigSource[]): string {
  const path = pathOf(error.instancePath);
  const params = error.params as { additionalProperty?: string; missingProperty?: string };
  const node = schemaAt(path) ?? ROOT;
  if (params.additionalProperty !== undefined) {
    const key = params.additionalProperty;
    const meant = nearestKey(node, path, key);
    const hint = meant === null ? '' : `; did you mean ${meant}?`;
    return problem(
      whereOf([...path, key], sources),
      formatPath([...path, key]),
      `there is no such key${hint}`,
    );
  }
  if (params.missingProperty !== undefined) {
    const missing = [...path, params.missingProperty];
    const expected = schemaAt(missing)?.expected ?? 'a value';
    return problem(whereOf(path, sources), formatPath(missing), `is missing; expected ${expected}`);
  }
  const source = layerOf(path, sources);
  return unexpected(path, node, source, source?.written(path) ?? valueAt(tree, path));
}

/**
 * Returns problems of values that stand for no section, in a source below another one that has keys of that section.
 * Merging leaves them out, so `complete` does not see them.
 */
export function validateSections(sources: readonly ConfigSource[]): string[] {
  const sections = keys().filter(([, { properties }]) => properties !== undefined);
  return sources.flatMap((source, i) =>
    sections.flatMap(([path, node]) => {
      const value = valueAt(source.value, path);
      const isLaidOver = sources.slice(0, i).some((above) => isTree(valueAt(above.value, path)));
      if (value === undefined || value === null || isTree(value) || !isLaidOver) return [];
      return [unexpected(path, node, source, source.written(path) ?? value)];
    }),
  );
}

function unexpected(
  path: Path,
  node: SchemaNode,
  source: ConfigSource | undefined,
  written: unknown,
): string {
  const expected = `expected ${node.expected ?? typeName(node)}${bounds(node)}`;
  return problem(source?.where(path) ?? '', formatPath(path), `${expected}${shown(node, written)}`);
}

/** Returns the written value for a message, or an empty text if it is or may hold a secret. */
function shown(node: SchemaNode, written: unknown): string {
  // Text in place of an address is not a secret, although a secret may belong below it.
  const isAddress = node.shorthand === 'address' && typeof written !== 'object';
  if (holdsSecret(node) && !isAddress) return '';
  const text = JSON.stringify(written) ?? '';
  return text === '' || text.includes('@')
    ? ''
    : `, not ${text.length > 100 ? `${text.slice(0, 100)}...` : text}`;
}

/** Whether a value here, or below, may be a secret that messages must not quote. */
export function holdsSecret(node: SchemaNode): boolean {
  // A refused header may hold credentials.
  if (node.shorthand === 'secret' || node.nearSecret || node.format === 'header-match') return true;
  if (node.items !== undefined && holdsSecret(node.items)) return true;
  return Object.values(node.properties ?? {}).some(holdsSecret);
}

/** Returns the source of a value in the merged tree. */
function layerOf(path: Path, sources: readonly ConfigSource[]): ConfigSource | undefined {
  return sources.find((source) => valueAt(source.value, path) !== undefined);
}

/** Returns where a value was written, as in `ConfigSource.where`; empty if no source has it. */
export function whereOf(path: Path, sources: readonly ConfigSource[]): string {
  return layerOf(path, sources)?.where(path) ?? '';
}

function pathOf(pointer: string): Path {
  const keys = pointer.split('/').slice(1);
  return keys.map((key) => {
    const name = key.replaceAll('~1', '/').replaceAll('~0', '~');
    return /^\d+$/.test(name) ? Number(name) : name;
  });
}

function typeName({ type, properties = {} }: SchemaNode): string {
  const keys = Object.keys(properties).slice(0, 2).join(' and ');
  return type === 'object'
    ? `a section${keys === '' ? '' : ` with keys such as ${keys}`}`
    : type === 'array'
      ? 'a list'
      : `a ${type ?? 'value'}`;
}

function bounds({ type, minimum, maximum, shorthand }: SchemaNode): string {
  if (type !== 'integer' || shorthand === undefined || minimum === undefined) return '';
  return maximum === undefined ? `, at least ${minimum}` : `, from ${minimum} to ${maximum}`;
}

/** The key that a source cannot do without. */
const NEEDED: Readonly<Record<string, string>> = { kubernetes: 'clusterIdentifier', consul: 'servicePrefix' };

function validateSources(at: (...path: string[]) => unknown, add: (path: Path, what: string) => void): void {
  const type = at('discovery', 'type');
  const fallback = at('discovery', 'fallback');
  const further = Array.isArray(fallback) ? fallback : [];
  if (further.includes(type))
    add(['discovery', 'fallback'], `names ${type}, which is discovery.type already`);
  for (const source of new Set([type, ...further])) {
    const [key, is] = source === type ? ['type', 'is'] : ['fallback', 'names'];
    const needed = typeof source === 'string' ? NEEDED[source] : undefined;
    if (needed !== undefined && at(String(source)) === undefined) {
      add(['discovery', key], `${is} ${source}, but ${source}.${needed} is missing`);
    }
    if (source !== 'static' && source !== 'dns') continue;
    const lists = ['coordinators', 'overlords', 'brokers'].map((list) => at(source, list));
    if (lists.every((list) => Array.isArray(list) && list.length === 0)) {
      add(['discovery', key], `${is} ${source}, but ${source} names no node`);
    }
  }
}

/** Validates what the schema cannot express: settings that need or exclude each other. Returns the problems. */
export function validateTogether(tree: unknown, sources: readonly ConfigSource[]): string[] {
  const problems: string[] = [];
  const add = (path: Path, what: string): void => {
    problems.push(problem(whereOf(path, sources), formatPath(path), what));
  };
  const at = (...path: string[]): unknown => valueAt(tree, path);
  validateSources(at, add);
  for (const path of [
    ['upstream', 'tls'],
    ['zookeeper', 'tls'],
    ['kubernetes'],
    ['consul'],
    ['tracing', 'otlp', 'tls'],
  ]) {
    const tls = valueAt(tree, path);
    if (!isTree(tls) || (tls.certFile === undefined) === (tls.keyFile === undefined)) continue;
    add([...path, tls.certFile === undefined ? 'keyFile' : 'certFile'], 'certFile and keyFile come together');
  }
  const auth = at('zookeeper', 'auth');
  if (isTree(auth) && auth.password !== undefined && auth.passwordFile !== undefined) {
    add(['zookeeper', 'auth', 'passwordFile'], 'password is given, too; expected one of the two');
  }
  if (isTree(auth) && auth.password === undefined && auth.passwordFile === undefined) {
    add(['zookeeper', 'auth'], 'has neither password nor passwordFile');
  }
  validateListeners(tree, add);
  const trust = at('forwarded', 'trust');
  const hops = at('forwarded', 'hops');
  if (Array.isArray(trust) && trust.length > 0 && typeof hops === 'number' && hops > 0) {
    add(['forwarded', 'hops'], 'trust is given, too; expected one of the two');
  }
  const origins = at('cors', 'origins');
  if (Array.isArray(origins) && origins.includes('*')) {
    if (origins.length > 1) add(['cors', 'origins'], 'has * and others; * is all of them');
    if (at('cors', 'credentials') === true) {
      add(
        ['cors', 'credentials'],
        'cannot be true where cors.origins is *: every page would act as its user',
      );
    }
  }
  const kept = at('history', 'file');
  if (kept !== undefined && kept === at('discovery', 'snapshotFile')) {
    add(['history', 'file'], 'is discovery.snapshotFile, too; expected a file of its own');
  }
  validateHaproxy(at('feeds', 'haproxy', 'backends'), (path, what) =>
    add(['feeds', 'haproxy', 'backends', ...path], what),
  );
  validateKubernetesFeed(at('feeds', 'kubernetes'), (path, what) =>
    add(['feeds', 'kubernetes', ...path], what),
  );
  const brokers = at('brokers');
  if (isTree(brokers)) validateBrokers(brokers, (path, what) => add(['brokers', ...path], what));
  return problems;
}
