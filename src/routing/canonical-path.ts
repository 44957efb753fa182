import { isAscii } from 'node:buffer';

/** What some readers cut off a segment's ends, in a path without escapes. */
const ENDS = /[.+](?:\/|$)|\/\+/;
/** What nobody sees: a reader that drops it finds another word. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu;
/** Where anything else than the text itself could be meant. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
const UNREAD = /[%\\]|[^\x00-\x7f]/;
/** Rounds after which a path that still changes was made for this. */
const MOST_ROUNDS = 4;

/**
 * A path as the most generous of readers could understand it, for comparison with what is denied: escapes decoded
 * until none is left (`%2561`, and `%u0061` as Jetty 9.4 has it), overlong UTF-8 as what it stands for, compatibility
 * forms (fullwidth letters, slashes and dots) as the plain ones, a backslash as a slash, each segment without what
 * begins with `;`, `?` or `#` and without blanks and full stops at its ends, empty segments left out. Null where
 * decoding has no end. What is sent on is never this.
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

/** Whether decoding makes more segments of a part of a path, or gives one of them a parameter. */
export function hidesSeparators(part: string): boolean {
  const decoded = decodedFully(part);
  return decoded === null || decoded.includes(';') || slashes(decoded) > slashes(part);
}

/** The path with every escape decoded, also those that decoding makes; null where that has no end. */
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

/** A segment without its parameters, query or fragment, and without what `isCut` says at its ends. */
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
 * The octets that a text stands for, escapes decoded until none is left. Escapes cannot overlap, so that it makes no
 * difference which of them is decoded first, and one pass is enough: what a decoded octet completes is the end of
 * what has been read.
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

/** Decodes the escape that ends at `end`, in its place; returns where what it stands for ends, or `end`. */
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

/** UTF-8 as lenient readers take it: overlong forms of up to six octets, too. Any other octet is a character. */
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
