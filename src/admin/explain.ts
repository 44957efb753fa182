import { isIP } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { ExplainQuestion, Explanation } from '../exchange/explain/explanation.ts';
import { blockOf } from '../http/header-block.ts';
import type { Guard } from './guard.ts';

/** An explanation as this listener gives it. */
export interface Explained extends Explanation {
  /** The number of the worker that explained the request; absent if there are no workers. */
  readonly worker?: number;
}

/** Explains a request; null if no worker answers. */
export type ExplainHere = (question: ExplainQuestion) => Promise<Explained | null>;

/** Longest body of a question, in bytes, with the body of the request to explain in it. */
const LONGEST_QUESTION = 1024 * 1024;
/** Longest method, and longest path and headers, in characters. */
const LONGEST_METHOD = 64;
const LONGEST_HEAD = 64 * 1024;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Registers `POST /explain`: `{method, path, headers?, body?, bodyBase64?, client?}`. Reading is enough for it: nothing
 * is sent or changed, and what it tells is in `/status` too.
 */
export function registerExplain(
  app: FastifyInstance,
  guard: Pick<Guard, 'read'>,
  explain: ExplainHere,
): void {
  app.post('/explain', { onRequest: guard.read, bodyLimit: LONGEST_QUESTION }, async (request, reply) => {
    const question = questionOf(request.body, request.socket.remoteAddress ?? '');
    if (typeof question === 'string') return reply.code(400).send({ error: question });
    const explained = await explain(question);
    return explained ?? reply.code(503).send({ error: 'no worker answers; ask again' });
  });
}

/** Returns the question of a body, or what is wrong with it. */
function questionOf(given: unknown, asker: string): ExplainQuestion | string {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return 'expected application/json such as {"method":"GET","path":"/druid/v2/datasources"}';
  }
  const { method, path, headers = {}, body, bodyBase64, client = plainAddress(asker) } = given as Fields;
  if (typeof method !== 'string' || method.length > LONGEST_METHOD || !TOKEN.test(method)) {
    return 'method: expected an HTTP method such as GET';
  }
  if (typeof path !== 'string' || path.length > LONGEST_HEAD) {
    return `path: expected a path with its query, of at most ${LONGEST_HEAD} characters`;
  }
  if (typeof client !== 'string' || isIP(client) === 0) return 'client: expected an IP address';
  if (body !== undefined && bodyBase64 !== undefined) return 'body, bodyBase64: expected one of the two';
  if (body !== undefined && typeof body !== 'string') return 'body: expected text';
  if (bodyBase64 !== undefined && !(typeof bodyBase64 === 'string' && BASE64.test(bodyBase64))) {
    return 'bodyBase64: expected base64';
  }
  const content = Buffer.from(
    body ?? (bodyBase64 as string | undefined) ?? '',
    body === undefined ? 'base64' : 'utf8',
  );
  const lines = linesOf(headers, content.length);
  if (lines === null) {
    return `headers: expected an object of names and values (or lists of them), ${LONGEST_HEAD} characters in all`;
  }
  return { method, target: path, headers: lines, body: content.toString('base64'), client };
}

interface Fields {
  readonly method?: unknown;
  readonly path?: unknown;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly bodyBase64?: unknown;
  readonly client?: unknown;
}

/** Returns the header lines, with `Host` and `Content-Length` if they are not given; null if they are no headers. */
function linesOf(headers: unknown, length: number): string | null {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return null;
  const flat: string[] = [];
  const names = new Set<string>();
  for (const [name, values] of Object.entries(headers)) {
    if (!TOKEN.test(name)) return null;
    names.add(name.toLowerCase());
    for (const value of Array.isArray(values) ? values : [values]) {
      if (typeof value !== 'string' || !VALUE.test(value)) return null;
      flat.push(name, value);
    }
  }
  if (!names.has('host')) flat.push('Host', 'druid-gateway');
  if (length > 0 && !names.has('content-length') && !names.has('transfer-encoding')) {
    flat.push('Content-Length', String(length));
  }
  const lines = blockOf(flat);
  return lines.length > LONGEST_HEAD ? null : lines;
}

/** An IPv4-mapped IPv6 address as plain IPv4, as doors have it. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
