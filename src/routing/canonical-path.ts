import { isAscii } from 'node:buffer';

/** Characters that some readers cut off the ends of a segment, in a path without escapes. */
const ENDS = /[.+](?:\/|$)|\/\+/;
/** Invisible characters: a reader that drops them sees another word. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu;
/** Characters that may mean something other than themselves. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
const UNREAD = /[%\\]|[^\x00-\x7f]/;
/** A path that still changes after this many rounds of decoding was built to. */
const MOST_ROUNDS = 4;

/**
 * Returns the path as the most lenient reader could understand it, for comparison with denied paths. Escapes are
 * decoded until none is left (`%2561`, and `%u0061` as in Jetty 9.4). Overlong UTF-8 becomes what it stands for,
 * compatibility forms (fullwidth letters, slashes and dots) become plain, and a backslash becomes a slash. Each
 * segment loses everything from `;`, `?` or `#` on, and blanks and full stops at its ends; empty segments are
 * dropped. Null if decoding does not end. Only for comparison: never send this path.
 */
export function canonicalPath(path: string): string | null {
  if (!path.includes('%')) return ENDS.test(path) ? withPlainSegments(path) : path;
  const decoded = decodedFully(path);
  return decoded === null ? null : withPlainSegments(decoded);
}

/** Whether a decoded path has a segment that a reader could take for `.` or `..`. */
export function hasDotSegment(decoded: string): boolean {
  return decoded.split('/').some((segment) => /^\.\.?$/.test(withoutEnds(segment, isBlank)));
}

/** Whether decoding this part of a path adds slashes, leaves a `;` (a parameter), or does not end. */
export function hidesSeparators(part: string): boolean {
  const decoded = decodedFully(part);
  return decoded === null || decoded.includes(';') || slashes(decoded) > slashes(part);
}

/** Decodes every escape, including those that decoding creates. Null if that does not end. */
export function decodedFully(path: string): string | null {
  let text = path;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    if (!UNREAD.test(text)) return text;
    const octets = octetsOf(text);
    const next = isAscii(octets)
      ? octets.toString('latin1')
      : fromUtf8(octets).normalize('NFKC').replace(INVISIBLE, '');
    const plain = next.replaceAll('\\', '/');
    if (plain === text) return text;
    text = plain;
  }
  return null;
}

function withPlainSegments(decoded: string): string {
  const segments = decoded.split('/').map((segment) => withoutEnds(segment, isBlankOrDot));
  return segments.filter((segment, at) => segment !== '' || at === 0).join('/');
}

/**
 * Returns a segment without its parameters, query or fragment, and without leading blanks and what `isCut` matches
 * at its end.
 */
function withoutEnds(segment: string, isCut: (character: string) => boolean): string {
  const parameters = segment.search(/[;?#]/);
  let to = parameters === -1 ? segment.length : parameters;
  let from = 0;
  while (from < to && isBlank(segment.charAt(from))) from++;
  while (to > from && isCut(segment.charAt(to - 1))) to--;
  return segment.slice(from, to);
}

function isBlank(character: string): boolean {
  return character <= ' ' || character === '+' || /^\s$/.test(character);
}

function isBlankOrDot(character: string): boolean {
  return character === '.' || isBlank(character);
}

function slashes(text: string): number {
  return text.split('/').length;
}

/**
 * Returns the octets that a text stands for, with escapes decoded until none is left. Escapes cannot overlap, so
 * their order does not matter. One pass is enough, because an escape completed by a decoded octet ends at the last
 * octet read.
 */
function octetsOf(text: string): Buffer {
  const octets = Buffer.from(text, 'utf8');
  let length = 0;
  for (const octet of octets) {
    octets[length++] = octet;
    for (let next = decodesEnd(octets, length); next !== length; next = decodesEnd(octets, length))
      length = next;
  }
  return octets.subarray(0, length);
}

const PERCENT = 0x25;
const U = 0x75;

/**
 * Decodes the escape that ends at `end` in place. Returns the end of the decoded octets, or `end` if there is no
 * escape.
 */
function decodesEnd(octets: Buffer, end: number): number {
  const short = octets[end - 3] === PERCENT;
  if (!short && octets[end - 6] !== PERCENT) return end;
  const low = hexDigit(octets[end - 1]);
  const high = hexDigit(octets[end - 2]);
  if (low === -1 || high === -1) return end;
  if (short) {
    octets[end - 3] = high * 16 + low;
    return end - 2;
  }
  const third = hexDigit(octets[end - 3]);
  const fourth = hexDigit(octets[end - 4]);
  if (third === -1 || fourth === -1 || octets[end - 5] !== U) return end;
  const character = String.fromCharCode(fourth * 4096 + third * 256 + high * 16 + low);
  return end - 6 + octets.write(character, end - 6, 'utf8');
}

function hexDigit(code: number | undefined): number {
  if (code === undefined) return -1;
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/**
 * Decodes UTF-8 as lenient readers do, overlong forms of up to six octets included. Any other octet becomes one
 * character.
 */
function fromUtf8(octets: Buffer): string {
  let text = '';
  for (let at = 0; at < octets.length; ) {
    const first = octets[at] ?? 0;
    const more = continuations(first);
    let code = more === 0 ? first : first & (0x3f >> more);
    let read = 1;
    while (read <= more && ((octets[at + read] ?? 0) & 0xc0) === 0x80) {
      code = code * 64 + ((octets[at + read] ?? 0) & 0x3f);
      read++;
    }
    const whole = read === more + 1 && code <= 0x10ffff;
    text += String.fromCodePoint(whole ? code : first);
    at += whole ? read : 1;
  }
  return text;
}

function continuations(first: number): number {
  if (first < 0xc0 || first > 0xfd) return 0;
  if (first < 0xe0) return 1;
  if (first < 0xf0) return 2;
  if (first < 0xf8) return 3;
  return first < 0xfc ? 4 : 5;
}
