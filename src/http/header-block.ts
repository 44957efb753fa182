/**
 * Header fields as they stand on the wire: lines of `Name: value` that each end in CRLF, one character an octet.
 * Heads are passed on as such a text, so that what nobody looks at is copied whole and never taken apart.
 */
export type HeaderBlock = string;

/** One line for each name and value of a flat list; the values must not have line breaks. */
export function blockOf(flat: readonly string[]): HeaderBlock {
  let block = '';
  for (let i = 0; i + 1 < flat.length; i += 2) block += `${flat[i] ?? ''}: ${flat[i + 1] ?? ''}\r\n`;
  return block;
}

/** Names and values, without white space around the latter. */
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

/** Where the line at `at` ends: at its CRLF, or at the end of a text that does not have it. */
export function lineEnd(block: HeaderBlock, at: number): number {
  const end = block.indexOf('\r\n', at);
  return end === -1 ? block.length : end;
}

/** What stands between the colon at `colon` and the line's end, without white space around it. */
export function valueAt(block: HeaderBlock, colon: number, end: number): string {
  let from = colon + 1;
  let to = end;
  while (from < to && isBlank(block.charCodeAt(from))) from++;
  while (to > from && isBlank(block.charCodeAt(to - 1))) to--;
  return block.slice(from, to);
}

/** The value of a header, or null; of several, the first. */
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

/** A copy without the headers in `names` (lower case). */
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
