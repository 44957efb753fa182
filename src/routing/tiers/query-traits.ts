import { ETERNITY, type Interval, intervalsOf } from '../../time/intervals.ts';
import { plainBody } from '../body-text.ts';
import { jsonFields, parsedField } from '../json-fields.ts';

/** The language of a query. */
export type QueryKind = 'native' | 'sql';

/** The parts of a query that decide its Broker service. */
export interface QueryTraits {
  readonly kind: QueryKind;
  /** `queryType` of a native query, `sql` of SQL. */
  readonly queryType: string | null;
  /** The tables that a native query reads, in its order; empty for SQL. */
  readonly datasources: readonly string[];
  /** Null if they cannot be read. */
  readonly intervals: readonly Interval[] | null;
  readonly context: Readonly<Record<string, unknown>>;
}

/**
 * Longest member of a query that is parsed, in bytes. A few kilobytes of gzip can hold a list of 90,000 intervals,
 * and parsing such a body would block all other requests.
 */
const LONGEST_FIELD = 128 * 1024;
const FIELDS = ['queryType', 'dataSource', 'queries', 'intervals', 'context'] as const;
/** Deepest nesting that is searched. */
const DEEPEST = 100;
const ANY_TIME: readonly Interval[] = [ETERNITY];
/** Traits of bare SQL text, which has no context (`SqlQuery.from`). */
const BARE_SQL: QueryTraits = {
  kind: 'sql',
  queryType: 'sql',
  datasources: [],
  intervals: ANY_TIME,
  context: {},
};

/**
 * Reads a query without changing it. Returns null for Smile, for a query longer than `limit` bytes after inflating,
 * and for text that is not a JSON object; Druid will report the latter. Never throws.
 */
export function traitsOf(
  kind: QueryKind,
  body: Buffer,
  contentType: string | null,
  limit: number,
): QueryTraits | null {
  const [type = ''] = (contentType ?? '').toLowerCase().split(';');
  if (type.includes('smile')) return null;
  if (kind === 'sql' && /^\s*(?:text\/plain|application\/x-www-form-urlencoded)\s*$/.test(type))
    return BARE_SQL;
  const plain = plainBody(body, limit);
  const fields = plain === null ? null : jsonFields(plain, FIELDS);
  if (fields === null) return null;
  const read = (name: keyof typeof fields): unknown => parsedField(fields[name], LONGEST_FIELD);
  const given = read('context');
  const context = isObject(given) ? given : {};
  if (kind === 'sql') return { ...BARE_SQL, context };
  const datasources = new Set<string>();
  fromQuery({ dataSource: read('dataSource'), queries: read('queries') }, datasources, DEEPEST);
  const queryType = read('queryType');
  const intervals = read('intervals');
  return {
    kind,
    queryType: typeof queryType === 'string' ? queryType : null,
    datasources: [...datasources],
    intervals: fields.intervals !== undefined && intervals === undefined ? null : intervalsOf(intervals),
    context,
  };
}

/** Adds the tables that a query reads, those of a union query (`queries`) included. */
function fromQuery(query: unknown, tables: Set<string>, depth: number): void {
  if (depth === 0 || !isObject(query)) return;
  fromSource(query.dataSource, tables, depth - 1);
  if (Array.isArray(query.queries)) for (const each of query.queries) fromQuery(each, tables, depth - 1);
}

/**
 * Handles a name, a `table`, or a source with others inside: `query`, `union`, `join`, `unnest`, `filter`,
 * `restrict`.
 */
function fromSource(source: unknown, tables: Set<string>, depth: number): void {
  if (typeof source === 'string') tables.add(source);
  if (depth === 0 || !isObject(source)) return;
  const { name, query, dataSources, left, right, base } = source;
  if (typeof name === 'string') tables.add(name);
  fromQuery(query, tables, depth - 1);
  const inner = Array.isArray(dataSources) ? dataSources : [left, right, base];
  for (const each of inner) fromSource(each, tables, depth - 1);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
