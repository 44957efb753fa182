/** What one proxy says about the request it received (RFC 7239 5); parameters it left out are empty. */
export interface ForwardedElement {
  readonly for: string;
  readonly proto: string;
  readonly host: string;
}

/** Unquoted values may be more than tokens, such as an address with a port: some proxies write that. */
const PAIR = /[ \t]*([!#$%&'*+\-.^_`|~\w]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))[ \t]*(?:;|$)/y;

/**
 * Yields the elements of a `Forwarded` header, the nearest proxy's first. It reads from the end and stops at the
 * first malformed element: text in front was there before, and must not change how the rest is read.
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

/** Returns the position of the comma before the element that ends at `end`, ignoring quoted commas, or -1. */
function elementStart(value: string, end: number): number {
  let quoted = false;
  for (let at = end - 1; at >= 0; at--) {
    if (value[at] === '"' && !isEscaped(value, at)) quoted = !quoted;
    else if (value[at] === ',' && !quoted) return at;
  }
  return -1;
}

/** Whether an odd number of backslashes comes before `at`. */
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
    // RFC 7239 4: each parameter occurs at most once.
    if (Object.hasOwn(found, name)) return null;
    found[name] = match[3] ?? (match[2] ?? '').replaceAll(/\\(.)/g, '$1');
  }
  return { for: found.for ?? '', proto: found.proto ?? '', host: found.host ?? '' };
}
