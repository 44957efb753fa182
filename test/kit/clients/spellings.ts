/** How a segment of a path can be written so that some reader takes it for another text. */
export type Spelling = (segment: string) => string;

const utf8 = (octets: readonly number[]): string =>
  octets.map((octet) => `%${octet.toString(16).padStart(2, '0')}`).join('');
const encoded: Spelling = (segment) => utf8([...Buffer.from(segment)]);
const first = (segment: string, by: (code: number) => string): string =>
  by(segment.charCodeAt(0)) + segment.slice(1);
const times = (count: number, by: Spelling): Spelling =>
  Array.from({ length: count }).reduce<Spelling>(
    (before) => (segment) => by(before(segment)),
    (s) => s,
  );
const again: Spelling = (segment) => segment.replaceAll('%', '%25');

/**
 * Each of them has been read as the plain word by some server, cache or library: escapes and escapes of escapes,
 * overlong UTF-8, `%u` escapes, fullwidth letters, letters of another case, what is cut off at the ends, parameters,
 * what is not seen.
 */
export const SPELLINGS: Readonly<Record<string, Spelling>> = {
  plain: (segment) => segment,
  'one escape': (segment) => first(segment, (code) => utf8([code])),
  'all escaped': encoded,
  'capital escapes': (segment) => encoded(segment).toUpperCase(),
  'escaped twice': (segment) => again(encoded(segment)),
  'escaped five times': times(4, again),
  'all escaped five times': (segment) => times(4, again)(encoded(segment)),
  'half an escape escaped': (segment) =>
    first(segment, (code) => {
      const [high = '', low = ''] = code.toString(16);
      return `%25%${high.charCodeAt(0).toString(16)}${low}`;
    }),
  'an overlong letter': (segment) => first(segment, (code) => utf8([0xc0 | (code >> 6), 0x80 | (code & 63)])),
  'a longer one': (segment) => first(segment, (code) => utf8([0xe0, 0x80 | (code >> 6), 0x80 | (code & 63)])),
  'one of four octets': (segment) =>
    first(segment, (code) => utf8([0xf0, 0x80, 0x80 | (code >> 6), 0x80 | (code & 63)])),
  'one of five octets': (segment) =>
    first(segment, (code) => utf8([0xf8, 0x80, 0x80, 0x80 | (code >> 6), 0x80 | (code & 63)])),
  'an overlong letter, escaped': (segment) =>
    again(first(segment, (code) => utf8([0xe0, 0x80 | (code >> 6), 0x80 | (code & 63)]))),
  'a %u escape': (segment) => first(segment, (code) => `%u00${code.toString(16)}`),
  'a %u escape, escaped': (segment) => first(segment, (code) => `%25u00${code.toString(16)}`),
  'a %U escape, escaped': (segment) => first(segment, (code) => `%25U00${code.toString(16)}`),
  'a fullwidth letter': (segment) => first(segment, (code) => encoded(String.fromCharCode(code + 0xfee0))),
  'fullwidth letters': (segment) =>
    encoded(
      [...segment].map((c) => (/\w/.test(c) ? String.fromCharCode(c.charCodeAt(0) + 0xfee0) : c)).join(''),
    ),
  'a fullwidth escape': (segment) => first(segment, (code) => `%ef%bc%85${code.toString(16)}`),
  capitals: (segment) => segment.toUpperCase(),
  'a full stop': (segment) => `${segment}.`,
  'two full stops': (segment) => `${segment}..`,
  'an escaped full stop': (segment) => `${segment}%2e`,
  'a blank': (segment) => `${segment}%20`,
  'a blank before': (segment) => `%20${segment}`,
  'a wide blank': (segment) => `${segment}%c2%a0`,
  'a plus': (segment) => `${segment}+`,
  'full stop and blank': (segment) => `${segment}.%20.`,
  'a fragment': (segment) => `${segment}%23x`,
  'a query': (segment) => `${segment}%3fx`,
  'a query, escaped': (segment) => `${segment}%253fx`,
  'a parameter': (segment) => `${segment};x=y`,
  'an escaped parameter': (segment) => `${segment}%3bx`,
  'a parameter escaped twice': (segment) => `${segment}%253bx`,
  'an escaped slash': (segment) => `${segment}%2f`,
  'an escaped slash and more': (segment) => `${segment}%2fx`,
  'a slash escaped twice': (segment) => `${segment}%252fx`,
  'an escaped backslash': (segment) => `${segment}%5cx`,
  'a backslash': (segment) => `${segment}\\x`,
  'a fullwidth slash': (segment) => `${segment}%ef%bc%8fx`,
  'steps back': (segment) => `x%2f..%2f${segment}`,
  'steps back with parameters': (segment) => `x%2f..%3b%2f${segment}`,
  'an octet of nothing': (segment) => `${segment}%00`,
  'a line end': (segment) => `${segment}%0a`,
  'a line end, escaped': (segment) => `${segment}%250a`,
  'a soft hyphen': (segment) => first(segment, (code) => `${String.fromCharCode(code)}%c2%ad`),
  'a blank of no width': (segment) => first(segment, (code) => `${String.fromCharCode(code)}%e2%80%8b`),
};

/** A path as readers could have it that decode once, twice and so on, written without the gateway's own reading. */
export function decodedByAll(path: string): string[] {
  const readings = [path];
  for (let i = 0; i < 8; i++) {
    const before = readings.at(-1) ?? '';
    const next = before.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
      Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
    );
    if (next === before) break;
    readings.push(next);
  }
  return readings;
}
