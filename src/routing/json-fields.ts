/** Members of one JSON object by name; each value is its slice of the text. */
export type JsonFields<Name extends string> = Readonly<Partial<Record<Name, Buffer>>>;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const END = 0x7d;

/** Longest member name in bytes, escapes and quotes included; nothing longer is searched for. */
const LONGEST_NAME = 256;

/**
 * Finds members of the JSON object in `text` in one pass. Skipped content creates no objects, however large it is.
 * If a name occurs twice, the last one counts, as for `JSON.parse` and Jackson. Returns null if `text` is not an
 * object. Never throws; values are not validated, so parse them with `parsedField`.
 */
export function jsonFields<Name extends string>(
  text: Buffer,
  names: readonly Name[],
): JsonFields<Name> | null {
  let at = pastBlanks(text, 0);
  if (text[at] !== 0x7b) return null;
  const found: Partial<Record<Name, Buffer>> = Object.create(null);
  at = pastBlanks(text, at + 1);
  for (let more = text[at] !== END; more; ) {
    if (text[at] !== QUOTE) return null;
    const end = pastString(text, at);
    const name = nameOf(text, at, end);
    at = pastBlanks(text, end);
    if (text[at] !== COLON) return null;
    at = pastBlanks(text, at + 1);
    const from = at;
    at = pastValue(text, at);
    const wanted = names.find((each) => each === name);
    if (wanted !== undefined) found[wanted] = text.subarray(from, at);
    more = text[at] === COMMA;
    if (more) at = pastBlanks(text, at + 1);
  }
  return text[at] === END && pastBlanks(text, at + 1) === text.length ? found : null;
}

/** Parses the value of a member. Returns undefined if it is absent, longer than `longest` bytes, or not JSON. */
export function parsedField(field: Buffer | undefined, longest: number): unknown {
  if (field === undefined || field.length > longest) return undefined;
  try {
    return JSON.parse(field.toString('utf8'));
  } catch {
    return undefined;
  }
}

function nameOf(text: Buffer, from: number, end: number): string | null {
  if (end - from > LONGEST_NAME) return null;
  const raw = text.toString('utf8', from, end);
  try {
    return raw.includes('\\') ? String(JSON.parse(raw)) : raw.slice(1, -1);
  } catch {
    return null;
  }
}

/** Returns the position of the comma or bracket that ends the value at `from`. */
function pastValue(text: Buffer, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const code = text[at];
    if (code === QUOTE) {
      at = pastString(text, at);
      continue;
    }
    if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) {
      if (depth === 0) return at;
      depth--;
    } else if (code === COMMA && depth === 0) return at;
    at++;
  }
  return at;
}

/** Returns the position after the closing quote of the string at `from`. */
function pastString(text: Buffer, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== QUOTE) at += text[at] === BACKSLASH ? 2 : 1;
  return Math.min(at + 1, text.length);
}

function pastBlanks(text: Buffer, from: number): number {
  let at = from;
  while (isBlank(text[at])) at++;
  return at;
}

function isBlank(code: number | undefined): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
