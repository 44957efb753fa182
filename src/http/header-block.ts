/**
 * Header fields as on the wire: lines of `Name: value`, each ending in CRLF, one character per octet. Heads are
 * forwarded as such text, so lines that are not inspected are copied without being parsed.
 */
export type HeaderBlock = string;

/** Writes one line per name and value of a flat list. Values must not contain line breaks. */
export function blockOf(flat: readonly string[]): HeaderBlock {
  let block = '';
  for (let i = 0; i + 1 < flat.length; i += 2) block += `${flat[i] ?? ''}: ${flat[i + 1] ?? ''}\r\n`;
  return block;
}

/** Returns names and values in turn; values are trimmed. */
export function flatOf(block: HeaderBlock): string[] {
  const flat: string[] = [];
  for (let at = 0; at < block.length; ) {
    const end = lineEnd(block, at);
    const colon = block.indexOf(':', at);
    flat.push(block.slice(at, colon), valueAt(block, colon, end));
    at = end + 2;
  }
  return flat;
}

/** The shortest line there is. */
const SHORTEST_LINE = 'a:\r\n'.length;

/** Whether there are more lines than `most`; those of ordinary heads are not counted, since so many would not fit. */
export function hasMoreLines(block: HeaderBlock, most: number): boolean {
  if (block.length <= most * SHORTEST_LINE) return false;
  let lines = 0;
  for (let at = 0; at < block.length && lines <= most; lines++) at = lineEnd(block, at) + 2;
  return lines > most;
}

/** Returns the end of the line at `at`: its CRLF, or the end of the text if there is none. */
export function lineEnd(block: HeaderBlock, at: number): number {
  const end = block.indexOf('\r\n', at);
  return end === -1 ? block.length : end;
}

/** Returns the trimmed value between the colon at `colon` and the end of the line. */
export function valueAt(block: HeaderBlock, colon: number, end: number): string {
  let from = colon + 1;
  let to = end;
  while (from < to && isBlank(block.charCodeAt(from))) from++;
  while (to > from && isBlank(block.charCodeAt(to - 1))) to--;
  return block.slice(from, to);
}

/** Returns the value of a header, the first of several, or null. */
export function headerValue(block: HeaderBlock, lowerName: string): string | null {
  for (let at = 0; at < block.length; ) {
    const end = lineEnd(block, at);
    const colon = at + lowerName.length;
    if (block.charCodeAt(colon) === COLON && block.slice(at, colon).toLowerCase() === lowerName) {
      return valueAt(block, colon, end);
    }
    at = end + 2;
  }
  return null;
}

/** Returns all values of a header as one list (RFC 9110 5.3), or null. */
export function headerList(block: HeaderBlock, lowerName: string): string | null {
  if (headerValue(block, lowerName) === null) return null;
  const flat = flatOf(block);
  return flat.filter((_, i) => i % 2 === 1 && flat[i - 1]?.toLowerCase() === lowerName).join(', ');
}

/** Returns a copy without the headers in `names` (lower case). */
export function without(block: HeaderBlock, names: ReadonlySet<string>): HeaderBlock {
  let kept = '';
  for (let at = 0; at < block.length; ) {
    const end = lineEnd(block, at) + 2;
    if (!names.has(block.slice(at, block.indexOf(':', at)).toLowerCase())) kept += block.slice(at, end);
    at = end;
  }
  return kept;
}

const COLON = 58;

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}
