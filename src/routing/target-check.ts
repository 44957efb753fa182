/** Anything that makes a path worth a closer look; ordinary targets have none of it. */
const SUSPICIOUS = /[^\x21-\x7e]|[%\\;#]|\/\/|\/\.|^[^/]|^$/;
const BAD_QUERY = /[^\x21-\xff]|#/;
const MALFORMED_ESCAPE = /%(?![0-9a-f]{2})/i;
/** Octets that cannot stand in UTF-8: overlong forms of ASCII, a dot or a slash among them. */
const OVERLONG = /%c[01]/i;
const ESCAPED_SEPARATOR = /%(?:2f|5c|3b)/i;
const ESCAPED_CONTROL = /%(?:[01][0-9a-f]|7f)/i;
const ESCAPE = /%([0-9a-f]{2})/gi;
/** How often a path may have been encoded before what it hides is of no use to anybody. */
const DECODINGS = 3;

/** Path and query of a request target; the query is empty or starts with its question mark. */
export interface SplitTarget {
  readonly path: string;
  readonly query: string;
}

export function splitTarget(target: string): SplitTarget {
  const at = target.indexOf('?');
  return at === -1 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at) };
}

/**
 * Why a request target is refused before anything is decided on it, or null. What servers read in different ways
 * (dot segments, encoded separators, path parameters, backslashes) could be one path to the gateway's table and
 * another to Druid.
 */
export function checkTarget(target: string): string | null {
  const { path, query } = splitTarget(target);
  if (BAD_QUERY.test(query)) return 'The query of the target has a character that must be percent-encoded.';
  return SUSPICIOUS.test(path) ? checkPath(path) : null;
}

/** The path with each escape decoded once, every octet as one character. */
export function decodePath(path: string): string {
  return path.replace(ESCAPE, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function checkPath(path: string): string | null {
  if (!path.startsWith('/')) return 'The target must be a path that starts with a slash, not a whole URL.';
  if (/[^\x21-\x7e]|#/.test(path)) return 'The path has a character that must be percent-encoded.';
  if (/[\\;]/.test(path)) return 'The path must not have backslashes or parameters after a semicolon.';
  if (path.includes('//')) return 'The path must not have empty segments.';
  if (MALFORMED_ESCAPE.test(path) || OVERLONG.test(path)) return 'The path has a malformed percent-encoding.';
  let decoded = path;
  for (let i = 0; i < DECODINGS; i++) {
    if (ESCAPED_SEPARATOR.test(decoded) || ESCAPED_CONTROL.test(decoded)) {
      return 'The path must not have encoded slashes, backslashes, semicolons or control characters.';
    }
    decoded = decodePath(decoded);
    if (hasDotSegment(decoded)) return 'The path must not have "." or ".." as a segment.';
  }
  return null;
}

function hasDotSegment(path: string): boolean {
  return path.split('/').some((segment) => segment === '.' || segment === '..');
}
