/** A time interval in epoch milliseconds; its ends may be infinite. */
export interface Interval {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** The interval of a query without intervals (`Intervals.ETERNITY`). */
export const ETERNITY: Interval = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };

const TIME =
  /^([+-]?\d{4,9})(?:-(\d\d?)(?:-(\d\d?))?)?(?:T(?:(\d\d?)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)?)?)?(Z|[+-]\d\d(?::?\d\d)?)?$/i;
const PERIOD =
  /^P(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.(\d{1,9}))?S)?)?$/i;

/** Most intervals that are read. */
const MOST_INTERVALS = 1_000;

/** A calendar period such as `P1M`. */
export interface Period {
  readonly years: number;
  readonly months: number;
  /** Weeks, days and smaller units, whose length is fixed. */
  readonly milliseconds: number;
}

/**
 * Parses the `intervals` of a native query: a text, a list of texts, or a segment spec that contains them
 * (`LegacySegmentSpec`, `MultipleIntervalSegmentSpec`, `MultipleSpecificSegmentSpec`). Returns null if they cannot
 * be parsed, or if there are more than a thousand.
 */
export function intervalsOf(value: unknown): readonly Interval[] | null {
  if (value === undefined || value === null) return [ETERNITY];
  if (typeof value === 'string') return all(value.split(','));
  if (Array.isArray(value)) return all(value);
  if (typeof value !== 'object') return null;
  const { intervals, segments } = value as { intervals?: unknown; segments?: unknown };
  if (Array.isArray(segments)) {
    return all(segments.map((segment) => (segment as { itvl?: unknown } | null)?.itvl));
  }
  return typeof intervals === 'string' || Array.isArray(intervals) ? intervalsOf(intervals) : null;
}

function all(texts: readonly unknown[]): readonly Interval[] | null {
  if (texts.length > MOST_INTERVALS) return null;
  const intervals = texts.map((text) => (typeof text === 'string' ? parseInterval(text) : null));
  return intervals.every((interval) => interval !== null) ? intervals : null;
}

/**
 * Parses `2024-01-01/2024-02-01`, or a time and a period; null for other text. Times without a zone are UTC, as in
 * Druid.
 */
export function parseInterval(text: string): Interval | null {
  const [left = '', right, ...more] = text.trim().split('/');
  if (right === undefined || more.length > 0) return null;
  const [before, after] = [parsePeriod(left), parsePeriod(right)];
  const start = before === null ? parseTime(left) : null;
  const end = after === null ? parseTime(right) : null;
  if (start !== null && end !== null) return start <= end ? { start, end } : null;
  if (start !== null && after !== null) return { start, end: shifted(start, after, 1) };
  if (end !== null && before !== null) return { start: shifted(end, before, -1), end };
  return null;
}

/** Years that a `Date` cannot hold become infinity: Druid writes its eternity with such years. */
function parseTime(text: string): number | null {
  const match = TIME.exec(text);
  if (match === null) return null;
  const [
    ,
    year,
    month = '1',
    day = '1',
    hours = '0',
    minutes = '0',
    seconds = '0',
    fraction = '',
    zone = 'Z',
  ] = match;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(
    Number(hours),
    Number(minutes),
    Number(seconds),
    Number(fraction.padEnd(3, '0').slice(0, 3)),
  );
  const time = date.getTime();
  if (Number.isNaN(time)) return Number(year) < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return time - offset(zone);
}

function offset(zone: string): number {
  const [, sign, hours, minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  if (sign === undefined) return 0;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** Parses an ISO 8601 period such as `P1M` or `PT30M`; null for other text. */
export function parsePeriod(text: string): Period | null {
  const match = PERIOD.exec(text.trim());
  if (match === null) return null;
  const [years, months, weeks, days, hours, minutes, seconds] = match
    .slice(1, 8)
    .map((part) => Number(part ?? 0));
  const fraction = Number((match[8] ?? '').padEnd(3, '0').slice(0, 3));
  const allDays = (weeks ?? 0) * 7 + (days ?? 0);
  const allSeconds = ((allDays * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0);
  return { years: years ?? 0, months: months ?? 0, milliseconds: allSeconds * 1_000 + fraction };
}

/**
 * Adds (1) or subtracts (-1) a period by the UTC calendar, in ms. A day beyond the end of a month becomes its last
 * day.
 */
export function shifted(time: number, { years, months, milliseconds }: Period, times: 1 | -1): number {
  if (!Number.isFinite(time)) return time;
  const moved = plusMonths(plusMonths(time, times * years * 12), times * months);
  return moved + times * milliseconds;
}

function plusMonths(time: number, months: number): number {
  if (months === 0) return time;
  const date = new Date(time);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months);
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, last));
  return date.getTime();
}

/** As Joda's `Interval.overlaps`: intervals that only touch do not overlap. */
export function overlaps(a: Interval, b: Interval): boolean {
  return a.start < b.end && b.start < a.end;
}
