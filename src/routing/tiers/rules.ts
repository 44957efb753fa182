import { isUnder } from '../path-table.ts';
import type { ForwardRoute } from '../route.ts';
import type { QueryTraits } from './query-traits.ts';
import type { SelectionInput } from './tier-selector.ts';

/** One entry of `brokers.rules`; all given conditions must match. */
export interface PlacementRule {
  readonly match: {
    readonly path?: string;
    /** `NAME`, or `NAME: VALUE`. */
    readonly header?: string;
    readonly user?: string;
    readonly datasource?: string;
    readonly contextKey?: string;
    readonly contextValue?: string;
    readonly queryType?: string;
  };
  readonly service: string;
}

export interface CompiledRule {
  readonly service: string;
  /** Null if the rule has no condition on the query. */
  readonly query: ((query: QueryTraits) => boolean) | null;
  readonly head: (request: SelectionInput) => boolean;
}

/** Compiles a rule; the result never throws. */
export function compileRule({ match, service }: PlacementRule): CompiledRule {
  const { path, header, user, datasource, contextKey, contextValue, queryType } = match;
  const wanted = header === undefined ? null : splitHeader(header);
  const asksQuery = datasource !== undefined || contextKey !== undefined || queryType !== undefined;
  return {
    service,
    head: (request) =>
      (path === undefined || isUnder(pathOf(request.route), path)) &&
      (wanted === null || hasHeader(request, wanted)) &&
      (user === undefined || userOf(request.header('authorization')) === user),
    query: !asksQuery
      ? null
      : (query) =>
          (datasource === undefined || query.datasources.includes(datasource)) &&
          (queryType === undefined || query.queryType === queryType) &&
          (contextKey === undefined || hasContext(query, contextKey, contextValue)),
  };
}

interface WantedHeader {
  readonly name: string;
  readonly value: string | null;
}

function splitHeader(header: string): WantedHeader {
  const colon = header.indexOf(':');
  if (colon === -1) return { name: header.toLowerCase(), value: null };
  return { name: header.slice(0, colon).toLowerCase(), value: header.slice(colon + 1).trim() };
}

function hasHeader({ header }: SelectionInput, { name, value }: WantedHeader): boolean {
  const given = header(name);
  return given !== null && (value === null || given === value);
}

/** Returns the user of a Basic `Authorization`; null for other schemes. */
function userOf(authorization: string | null): string | null {
  const [, encoded] = /^basic +([\w+/=-]+) *$/i.exec(authorization ?? '') ?? [];
  if (encoded === undefined) return null;
  const credentials = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = credentials.indexOf(':');
  return colon === -1 ? null : credentials.slice(0, colon);
}

/** Compares numbers and booleans by their text. */
function hasContext({ context }: QueryTraits, key: string, wanted: string | undefined): boolean {
  if (!Object.hasOwn(context, key)) return false;
  const value = context[key];
  if (wanted === undefined) return true;
  return (
    (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') &&
    String(value) === wanted
  );
}

function pathOf({ target }: ForwardRoute): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}
