/**
 * A regular expression for the whole numbers from `min` to `max`, neither below 0, as people may write them: with at
 * most `digits` digits, zeros in front included. Nothing may match where `min` is above `max`: null then.
 */
export function numberRange(min: number, max: number, digits: number): string | null {
  if (min > max) return null;
  const parts: string[] = [];
  for (let length = String(min).length; length <= String(max).length; length++) {
    const low = Math.max(min, length === 1 ? 0 : 10 ** (length - 1));
    parts.push(...ofOneLength(String(low), String(Math.min(max, 10 ** length - 1))));
  }
  return `(?=\\d{1,${digits}}(?!\\d))0*(?:${parts.join('|')})`;
}

/** From `low` to `high`, which have as many digits as each other. */
function ofOneLength(low: string, high: string): string[] {
  const first = low[0] ?? '';
  const last = high[0] ?? '';
  if (low.length <= 1) return [oneOf(Number(first), Number(last))];
  const rest = low.length - 1;
  const [lowest, highest] = ['0'.repeat(rest), '9'.repeat(rest)];
  if (first === last) return ofOneLength(low.slice(1), high.slice(1)).map((tail) => first + tail);
  const wholeLow = low.slice(1) === lowest;
  const wholeHigh = high.slice(1) === highest;
  const from = Number(first) + (wholeLow ? 0 : 1);
  const to = Number(last) - (wholeHigh ? 0 : 1);
  return [
    ...(wholeLow ? [] : ofOneLength(low.slice(1), highest).map((tail) => first + tail)),
    ...(from > to ? [] : [`${oneOf(from, to)}\\d${rest === 1 ? '' : `{${rest}}`}`]),
    ...(wholeHigh ? [] : ofOneLength(lowest, high.slice(1)).map((tail) => last + tail)),
  ];
}

function oneOf(from: number, to: number): string {
  return from === to ? String(from) : from === 0 && to === 9 ? '\\d' : `[${from}-${to}]`;
}
