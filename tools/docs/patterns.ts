import type { FormatName } from '../../src/config/formats.ts';
import { DURATION_UNITS, SIZE_UNITS } from '../../src/config/units.ts';
import { numberRange } from './number-range.ts';

/** As many digits as the loader reads of a number with a unit. */
const MOST_DIGITS = 15;

const OCTET = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const IPV4 = String.raw`${OCTET}(?:\.${OCTET}){3}`;
/** Roughly: eight groups, or fewer with `::`; that each is right is for the loader to say. */
const IPV6 = String.raw`(?=[0-9A-Fa-f:]*::|(?:[0-9A-Fa-f]{1,4}:){7}|(?:[0-9A-Fa-f]{1,4}:){6}\d)[0-9A-Fa-f:.]+(?:%[0-9A-Za-z.:-]+)?`;
const NAME = String.raw`(?![\d.]+(?:$|[^\w.-]))(?!-)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?`;
const PORT = numberRange(0, 65_535, 5);
const USED_PORT = numberRange(1, 65_535, 5);

/** A name in a path of ZooKeeper, as `pathProblem` has it. */
const ZNODE = String.raw`(?!\.{1,2}(?:/|$))[^/\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]+`;
const SERVER_NAME = `[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?`;
const SERVER = String.raw`(?:\[${IPV6}\]|${SERVER_NAME})(?::${USED_PORT})?`;

const HTTP = `${anyCase('http')}[Ss]?://`;
const URL_HOST = String.raw`(?:\[[0-9A-Fa-f:.]+\]|[^\s/@?#\\:\[\]<>^|]+)`;
const PLACEHOLDER = String.raw`\{(?:host|port|hostname-first-label)\}`;

/** It may have a path, but neither user nor query. */
const PLAIN_URL = `^${HTTP}(?:\\[${IPV6}\\]|${IPV4}\\.?|${NAME})(?::${USED_PORT})?(?:/[^\\s?#\\\\]*)?$`;

/** What `formats.ts` checks, as far as a regular expression can say it: in doubt it lets pass what the loader refuses. */
export const PATTERNS: Readonly<Record<FormatName, string>> = {
  host: `^(?:${IPV4}|${IPV6}|(?=.{1,253}$)${NAME})$`,
  'name-suffix': String.raw`^(?!\.?[\d.]+$)(?=\.?.{1,253}$)\.?${NAME}$`,
  origin: String.raw`^(?:\*|[A-Za-z][A-Za-z\d+.-]*://[^\s/?#@*,\\]+)$`,
  'header-name': "^[\\w!#$%&'*+.^`|~-]+$",
  cidr: `^(?:${IPV4}(?:/${numberRange(0, 32, 3)})?|${IPV6}(?:/${numberRange(0, 128, 3)})?)$`,
  znode: `^(?:/|/?${ZNODE}(?:/${ZNODE})*/*)$`,
  'zookeeper-connect': String.raw`^[\s,]*${SERVER}(?:\s*,[\s,]*${SERVER})*[\s,]*(?:/|(?:/${ZNODE})+)?\s*$`,
  'node-url': `^${HTTP}(?:\\[${IPV6}\\]|${IPV4}\\.?|${NAME})(?::${USED_PORT})?/?$`,
  'otlp-endpoint': PLAIN_URL,
  attribute: String.raw`^[^\s=][^=]*=[\s\S]+$`,
  'header-line': String.raw`^(?!(?:${['host', 'connection', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect'].map(anyCase).join('|')}|${anyCase('content')}-.*):)[\w!#$%&'*+.^${'`'}|~-]+:[ \t]*[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$`,
  'base-path': String.raw`^(?=.{0,201}$)(?:/(?!\.{1,2}(?:/|$))[\w.~-]+)*/?$`,
  'kubernetes-cluster': '^(?=.{2,63}$)[a-z0-9][a-z0-9-]*[a-z0-9]$',
  'kubernetes-namespace': '^(?=.{1,63}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$',
  'server-url': PLAIN_URL,
  'srv-name': String.raw`^(?=.{1,253}$)[\w-]{1,63}(?:\.[\w-]{1,63})*\.?$`,
  'dns-server': `^(?:${IPV4}|${IPV6}|(?:${IPV4}|\\[${IPV6}\\]):${USED_PORT})$`,
  'consul-prefix': String.raw`^(?=.{1,100}$)(?!(?:.*/)?\.\.(?:/|$))[\w.-]+(?:/[\w.-]+)*$`,
  'consul-key': String.raw`^(?=.{1,512}$)(?!(?:.*/)?\.\.(?:/|$))[^\s?#/][^\s?#]*$`,
  'consul-datacenter': String.raw`^(?=.{1,64}$)[\w-]+$`,
  'path-prefix': String.raw`^/[^\s?#%]*$`,
  'header-match': String.raw`^(?!(?:${anyCase('authorization')}|${anyCase('cookie')}|${anyCase('proxy')}-.*)(?::|$))[\w!#$%&'*+.^${'`'}|~-]+(?::[ \t]*[^\r\n]+)?$`,
  'kubernetes-port': '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$',
  'haproxy-name': String.raw`^[\w.:-]{1,128}$`,
  'haproxy-words': String.raw`^(?=.{0,1000}$)[\x21-\x3a\x3c-\x7e]+(?: [\x21-\x3a\x3c-\x7e]+)*$`,
  'address-pattern': String.raw`^(?:\*|(?:\[[0-9A-Fa-f:.*]+\]|[^\s:\[\]/@]+):(?:\d{1,5}|\*))$`,
  'address-template': String.raw`^${HTTP}${URL_HOST}(?::(?:${USED_PORT}|\d*(?:${PLACEHOLDER}\d*)+))?/?$`,
};

/** `HOST:PORT`, as `parseHostPort` reads it. */
export const ADDRESS_PATTERN = String.raw`^\s*(?:${IPV4}|\[${IPV6}\]|(?=[^:]{1,253}:)${NAME}):${PORT}\s*$`;

/** `30s` and the like, from `min` to `max` milliseconds. */
export function durationPattern(min: number, max: number): string {
  return withUnits(min, max, DURATION_UNITS);
}

/** `64KiB` and the like, from `min` to `max` bytes. */
export function sizePattern(min: number, max: number): string {
  return withUnits(min, max, SIZE_UNITS);
}

function withUnits(min: number, max: number, units: Readonly<Record<string, number>>): string {
  const bare = numberRange(min, max, MOST_DIGITS);
  const forms = Object.entries(units).flatMap(([unit, factor]) => {
    const numbers = numberRange(Math.ceil(min / factor), Math.floor(max / factor), MOST_DIGITS);
    return numbers === null ? [] : [`${numbers} ?${unit}`];
  });
  return String.raw`^\s*(?:${[bare, ...forms].join('|')})\s*$`;
}

/** A JSON Schema has no flags for its patterns. */
function anyCase(word: string): string {
  return [...word].map((letter) => `[${letter.toUpperCase()}${letter}]`).join('');
}
