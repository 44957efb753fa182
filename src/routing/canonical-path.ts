import { isAscii } from 'node:buffer';

/** Characters that some readers cut off the ends of a segment, in a path without escapes. */
const ENDS = /[.+](?:\/|$)|\/\+/;
/** Invisible characters: a reader that drops them sees another word. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu;
/** Characters that may mean something other than themselves. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
const UNREAD = /[%\\]|[^\x00-\x7f]/;
/** A path that still changes after this many rounds of decoding was built to. */
const MOST_ROUNDS = 5;
/**
 * An octet that is no UTF-8 stands as this character of the private use area plus the octet until decoding ends: an
 * escape that a later round completes can make a character of it together with its neighbours.
 */
const KEPT = 0xe000;
const KEPT_OCTET = /[\ue080-\ue0ff]/g;
/** In brackets, so that `split` leaves them between the parts. */
const KEPT_OCTETS = /([\ue080-\ue0ff]+)/;

/**
 * Returns the path as the most lenient reader could understand it, for comparison with denied paths. Escapes are
 * decoded until none is left (`%2561`, and `%u0061` as in Jetty 9.4, also with a capital U). Overlong UTF-8 becomes
 * what it stands for, compatibility forms (fullwidth letters, slashes and dots) become plain, and a backslash becomes
 * a slash. Each segment loses everything from `;`, `?` or `#` on, and blanks and full stops at its ends; empty
 * segments are dropped. Null if decoding does not end. Only for comparison: never send this path.
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
    const plain = decodedOnce(text);
    const next = plain === text ? withoutKeptOctets(text) : plain;
    if (next === text) return text;
    text = next;
  }
  return null;
}

function decodedOnce(text: string): string {
  const octets = octetsOf(text);
  const decoded = isAscii(octets) ? octets.toString('latin1') : plainForm(fromUtf8(octets));
  return decoded.replaceAll('\\', '/');
}

function plainForm(text: string): string {
  return text.normalize('NFKC').replace(INVISIBLE, '');
}

/** Returns a text with each kept octet as the character that it is in Latin-1. */
function withoutKeptOctets(text: string): string {
  return plainForm(text.replace(KEPT_OCTET, (octet) => String.fromCharCode(octet.charCodeAt(0) - KEPT)));
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
  const octets = toUtf8(text);
  let length = 0;
  for (const octet of octets) {
    octets[length++] = octet;
    for (let next = decodesEnd(octets, length); next !== length; next = decodesEnd(octets, length))
      length = next;
  }
  return octets.subarray(0, length);
}

const PERCENT = 0x25;
const SMALL_U = 0x75;

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
  if (third === -1 || fourth === -1 || ((octets[end - 5] ?? 0) | 0x20) !== SMALL_U) return end;
  const character = String.fromCharCode(fourth * 4096 + third * 256 + high * 16 + low);
  return end - 6 + octets.write(character, end - 6, 'utf8');
}

function hexDigit(code: number | undefined): number {
  if (code === undefined) return -1;
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** The opposite of `fromUtf8`. */
function toUtf8(text: string): Buffer {
  if (!KEPT_OCTETS.test(text)) return Buffer.from(text, 'utf8');
  const parts = text.split(KEPT_OCTETS);
  return Buffer.concat(
    parts.map((part, i) =>
      i % 2 === 1 ? Buffer.from(Array.from(part, (octet) => octet.charCodeAt(0) - KEPT)) : Buffer.from(part),
    ),
  );
}

/** Decodes UTF-8 as lenient readers do, overlong forms of up to six octets included. Keeps any other octet. */
function fromUtf8(octets: Buffer): string {
  let text = '';
  for (let at = 0; at < octets.length; ) {
    const first = octets[at] ?? 0;
    const more = continuations(first);
    let code = first & (0x3f >> more);
    let read = 1;
    while (read <= more && ((octets[at + read] ?? 0) & 0xc0) === 0x80) {
      code = code * 64 + ((octets[at + read] ?? 0) & 0x3f);
      read++;
    }
    if (first < 0x80) text += String.fromCharCode(first);
    else if (more > 0 && read > more && code <= 0x10ffff) text += String.fromCodePoint(code);
    else {
      text += String.fromCharCode(KEPT + first);
      read = 1;
    }
    at += read;
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
