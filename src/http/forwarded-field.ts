/** What one proxy says of the request that it got (RFC 7239 5); empty where it does not say. */
export interface ForwardedElement {
  readonly for: string;
  readonly proto: string;
  readonly host: string;
}

/** Unquoted also what is no token, such as an address with a port: proxies write that. */
const PAIR = /[ \t]*([!#$%&'*+\-.^_`|~\w]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))[ \t]*(?:;|$)/y;

/**
 * The elements of a `Forwarded` header from the nearest proxy's on. It reads from the end and stops at the first that
 * is malformed: what stands in front was there before, and must not change how the rest is read.
 */
export function* forwardedElements(value: string): Generator<ForwardedElement> {
  for (let end = value.length; end > 0; ) {
    const comma = elementStart(value, end);
    const text = value.slice(comma + 1, end).trim();
    end = comma;
    if (text === '') continue;
    const element = readElement(text);
    if (element === null) return;
    yield element;
  }
}

/** The comma in front of the element that ends at `end`, quoted ones passed over, or -1. */
function elementStart(value: string, end: number): number {
  let quoted = false;
  for (let at = end - 1; at >= 0; at--) {
    if (value[at] === '"' && !isEscaped(value, at)) quoted = !quoted;
    else if (value[at] === ',' && !quoted) return at;
  }
  return -1;
}

/** Behind an odd number of backslashes. */
function isEscaped(value: string, at: number): boolean {
  let from = at;
  while (from > 0 && value[from - 1] === '\\') from--;
  return (at - from) % 2 === 1;
}

function readElement(text: string): ForwardedElement | null {
  const found: Record<string, string> = {};
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < text.length) {
    const match = PAIR.exec(text);
    if (match === null) return null;
    const name = (match[1] ?? '').toLowerCase();
    // RFC 7239 4: each parameter once.
    if (Object.hasOwn(found, name)) return null;
    found[name] = match[3] ?? (match[2] ?? '').replaceAll(/\\(.)/g, '$1');
  }
  return { for: found.for ?? '', proto: found.proto ?? '', host: found.host ?? '' };
}
