import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { connectRaw, type RawAnswer } from '../../kit/clients/raw-client.ts';
import type { Call } from './calls.ts';

/** What calls need to name and what only the cluster knows: `{{segment}}` and so on. */
export type Names = Readonly<Record<string, string>>;

/** One thing in which two answers differ. */
export interface Found {
  readonly call: string;
  /** `status`, `body`, `framing`, `trailers`, `dates`, or the name of a header. */
  readonly aspect: string;
  readonly router: string;
  readonly gateway: string;
}

const PATIENCE_MS = 20_000;
const LONG = 2_000;
/** Compared as framing, trailers and dates instead. */
const APART: ReadonlySet<string> = new Set(['date', 'content-length', 'transfer-encoding', 'trailer']);

/** Sends a call as it is; the answer's aspects, less what can never be the same twice. */
export async function ask(port: number, call: Call, names: Names): Promise<ReadonlyMap<string, string>> {
  const client = await connectRaw(port);
  const timer = setTimeout(() => client.close(), PATIENCE_MS);
  try {
    client.send(requestOf(call, { ...names, id: crypto.randomUUID() }));
    return aspects(await client.answer({ head: call.method === 'HEAD' }), call);
  } catch {
    return new Map([['status', 'none']]);
  } finally {
    clearTimeout(timer);
    client.close();
  }
}

function requestOf(call: Call, names: Names): Buffer {
  const fill = (text: string): string =>
    text.replace(/\{\{([^}]+)\}\}/g, (whole, name: string) => names[name] ?? whole);
  const { method, target, headers = [], body = '', head } = call;
  const content = Buffer.isBuffer(body) ? body : Buffer.from(fill(body));
  const framed = method === 'GET' || method === 'HEAD' ? [] : [`Content-Length: ${content.length}`];
  const lines = head ?? [`${method} ${target} HTTP/1.1`, 'Host: gateway', ...headers, ...framed];
  return Buffer.concat([Buffer.from(fill([...lines, '', ''].join('\r\n')), 'latin1'), content]);
}

function aspects(answer: RawAnswer, call: Call): Map<string, string> {
  const found = new Map<string, string>();
  found.set('status', String(answer.status));
  const framing = answer.header('transfer-encoding') ?? (answer.header('content-length') ? 'length' : 'none');
  found.set('framing', framing);
  found.set('trailers', answer.trailers.map(timeless).join('; '));
  found.set('dates', String(answer.headers('date').length));
  for (const text of answer.lines) {
    const name = text.slice(0, text.indexOf(':')).toLowerCase();
    if (!APART.has(name)) found.set(name, answer.headers(name).map(timeless).join('; '));
  }
  found.set('connection', answer.header('connection')?.toLowerCase() === 'close' ? 'close' : 'open');
  found.set('body', bodyOf(answer, call.unordered === true));
  return found;
}

function bodyOf(answer: RawAnswer, unordered: boolean): string {
  const plain = answer.header('content-encoding') === 'gzip' ? gunzipSync(answer.body) : answer.body;
  const text = timeless(plain.toString('latin1'));
  if (unordered) return JSON.stringify(sorted(JSON.parse(text)));
  return text.length > LONG ? createHash('sha256').update(text).digest('hex') : text;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, sorted(inner)]));
}

/** Without ids, addresses, times and other things that are never the same twice. */
function timeless(text: string): string {
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<id>')
    .replace(/127\.0\.0\.1:\d+/g, '<node>')
    .replace(/20(?:2[5-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, '<time>')
    .replace(/<tr><th>SERVLET:<.*/g, '')
    .replace(/@[0-9a-f]{5,8}\b/g, '@')
    .replace(/"(max|total|free|used|direct)Memory":\d+/g, '"$1Memory":0')
    .replace(/"(plaintext|tls)?[pP]ort":\d+/g, '"$1port":0');
}

/** Where two answers to a call differ. */
export function differences(
  call: Call,
  router: ReadonlyMap<string, string>,
  gateway: ReadonlyMap<string, string>,
): Found[] {
  return [...new Set([...router.keys(), ...gateway.keys()])]
    .filter((aspect) => router.get(aspect) !== gateway.get(aspect))
    .map((aspect) => ({
      call: call.name,
      aspect,
      router: router.get(aspect) ?? '-',
      gateway: gateway.get(aspect) ?? '-',
    }));
}
