import { decodedFully, hasDotSegment } from './canonical-path.ts';

/** Characters that require the detailed check; ordinary targets have none of them. */
const SUSPICIOUS = /[^\x21-\x7e]|[%\\;#]|\/\/|\/\.|^[^/]|^$/;
const BAD_QUERY = /[^\x21-\xff]|#/;
const MALFORMED_ESCAPE = /%(?![0-9a-f]{2})/i;
/** Octets that are invalid in UTF-8: overlong forms of shorter characters, a dot or a slash among them. */
const OVERLONG = /%(?:c[01]|e0%[89]|f0%8|f8%8[0-7]|fc%8[0-3])/i;
const DOT_SEGMENT = 'The path must not have "." or ".." as a segment.';
const ESCAPED_CONTROL = /%(?:[01][0-9a-f]|7f)/i;

/** Path and query of a request target; the query is empty or starts with its question mark. */
export interface SplitTarget {
  readonly path: string;
  readonly query: string;
}

/** Splits a target at its first question mark. */
export function splitTarget(target: string): SplitTarget {
  const at = target.indexOf('?');
  return at === -1 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at) };
}

/**
 * Returns why a request target must be refused before routing, or null. Servers read dot segments, empty segments,
 * path parameters and backslashes differently, so the gateway and Druid could see different paths. The router
 * judges encoded separators, because a name may contain them.
 */
export function checkTarget(target: string): string | null {
  const { path, query } = splitTarget(target);
  if (BAD_QUERY.test(query)) return 'The query of the target has a character that must be percent-encoded.';
  return SUSPICIOUS.test(path) ? checkPath(path) : null;
}

function checkPath(path: string): string | null {
  if (!path.startsWith('/'))
    return 'The target must be a path that starts with a slash, or the http or https URL of one, without a user.';
  if (/[^\x21-\x7e]|#/.test(path)) return 'The path has a character that must be percent-encoded.';
  if (/[\\;]/.test(path)) return 'The path must not have backslashes or parameters after a semicolon.';
  if (path.includes('//')) return 'The path must not have empty segments.';
  if (MALFORMED_ESCAPE.test(path) || OVERLONG.test(path)) return 'The path has a malformed percent-encoding.';
  if (!path.includes('%')) return hasDotSegment(path) ? DOT_SEGMENT : null;
  if (ESCAPED_CONTROL.test(path)) return 'The path must not have encoded control characters.';
  const decoded = decodedFully(path);
  if (decoded === null) return 'The path is encoded more often than anybody would decode it.';
  return hasDotSegment(decoded) ? DOT_SEGMENT : null;
}
