/** Control characters, marks that a terminal would interpret, and code points that are not characters. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * Returns text of strangers as a terminal, a log and XML can show it: in one line, at most `longest` characters of it,
 * and what could not be seen as `\u{HEX}`.
 */
export function printable(text: string, longest: number): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return cut.replace(UNSEEN, (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Joins the first few of many items, and says how many are left out. */
export function listed(items: readonly string[], most = 5): string {
  const rest = items.length - most;
  return rest > 0 ? `${items.slice(0, most).join('; ')}; and ${rest} more` : items.join('; ');
}
