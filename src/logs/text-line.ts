import { visible } from './field-text.ts';
import type { Style, Tone } from './style.ts';

/** Fields that have a place of their own in a line. */
const PLACED: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'stack', 'err']);
/** The same in the line of a request. */
const PLACED_OF_REQUEST: ReadonlySet<string> = new Set([
  ...PLACED,
  ...['method', 'path', 'status', 'ms', 'role', 'class', 'upstream'],
]);

const TONES: Readonly<Record<string, Tone>> = {
  warn: 'doubtful',
  error: 'bad',
  fatal: 'bad',
  debug: 'faint',
  trace: 'faint',
};

const WIDEST_LEVEL = 5;
/** Text that is shown without quotes. */
const BARE = /^[\w.:/@+,[\]-]+$/;
/** What stands for a field that says nothing. */
const SILENT: ReadonlySet<unknown> = new Set([null, undefined, false, '']);

type Fields = Readonly<Record<string, unknown>>;

/**
 * Formats a line of the log, given as JSON, for a person at a terminal: time, level, message, then the fields as
 * `name=value`. Empty fields are left out, and what the terminal would act upon is escaped. The stack of an error follows
 * on lines of its own. What is no line of the log stays as it is, escaped.
 */
export function textLine(json: string, style: Style): string {
  const fields = parsed(json);
  if (fields === null) return `${visible(json.replace(/\n$/, ''))}\n`;
  const level = String(fields.level ?? '');
  const tone = TONES[level] ?? 'plain';
  const isRequest = fields.msg === 'request' && typeof fields.path === 'string';
  const parts = [
    style(clock(fields.time), 'faint'),
    style(visible(level.toUpperCase().padEnd(WIDEST_LEVEL)), tone),
    isRequest ? requestText(fields, style) : style(visible(String(fields.msg ?? '')), tone),
    ...pairs(fields, isRequest ? PLACED_OF_REQUEST : PLACED).map((pair) => style(pair, 'faint')),
  ];
  return `${parts.join(' ')}\n${stackText(fields, style)}`;
}

function requestText(
  { method, path, status, ms, role, class: kind, upstream }: Fields,
  style: Style,
): string {
  const toneOfStatus: Tone = Number(status) >= 500 ? 'bad' : Number(status) >= 400 ? 'doubtful' : 'good';
  const asked = visible(`${String(method)} ${String(path)}`);
  const answered = `${style(visible(String(status)), toneOfStatus)} ${visible(String(ms))}ms`;
  const by = visible(role === kind ? String(role) : `${String(role)}/${String(kind)}`);
  return `${asked} ${answered} ${by}${upstream === null ? '' : ` ${visible(String(upstream))}`}`;
}

/** The time of day in the zone of the log, which is UTC. */
function clock(time: unknown): string {
  return visible(String(time ?? '').replace(/^\d{4}-\d\d-\d\dT/, ''));
}

function pairs(fields: Fields, placed: ReadonlySet<string>): string[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    placed.has(name) || SILENT.has(value) ? [] : [`${visible(name)}=${shown(value)}`],
  );
}

function shown(value: unknown): string {
  if (typeof value === 'string' && BARE.test(value)) return value;
  return visible(JSON.stringify(value));
}

/** Indented, so that no line of it can pass for one of the log. */
function stackText({ stack, err }: Fields, style: Style): string {
  const text = stack ?? (typeof err === 'object' && err !== null && 'stack' in err ? err.stack : err);
  if (typeof text !== 'string' || text === '') return '';
  return text
    .split('\n')
    .map((line) => `    ${style(visible(line.trim()), 'faint')}\n`)
    .join('');
}

function parsed(json: string): Fields | null {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
  } catch {
    return null;
  }
}
