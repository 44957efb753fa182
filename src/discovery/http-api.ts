import { readFile } from 'node:fs/promises';
import http, { type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { withoutBrackets } from '../net/host-port.ts';

/** How the HTTP API of a source is reached. */
export interface ApiTarget {
  /** `http(s)://host:port`, without a slash at its end. */
  readonly server: string;
  /** Holds the bearer token; null for none. Read for each request: projected tokens are replaced before they end. */
  readonly tokenFile: string | null;
  /** PEM of the trusted authorities; null for those that Node trusts. Read for each request. */
  readonly caFile: string | null;
  /** PEM of the client's certificate and of its key, both or none. Read for each request. */
  readonly client?: { readonly certFile: string; readonly keyFile: string };
}

/** Why a request came to nothing. The message is the end of a sentence, without credentials. */
export class ApiError extends Error {
  /** HTTP status, of the answer or of an error in a watch; null if there was no answer. */
  readonly status: number | null;
  /** How long the server asks us to stay away, in ms; 0 where it does not. */
  readonly retryAfterMs: number;

  constructor(message: string, status: number | null = null, retryAfterMs = 0) {
    super(message);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  /** The server has forgotten the version or the page that was asked for. */
  get isGone(): boolean {
    return this.status === 410;
  }

  /** The server was not reached, or could not answer. */
  get isOutage(): boolean {
    return this.status === null || this.status >= 500;
  }
}

export interface HttpApi {
  /**
   * Resolves to the answer of a GET, whose status is 200 or `also`, and whose body must be read or destroyed. `headMs`
   * limits the time until its head is here. Rejects with `ApiError`.
   */
  get(path: string, headMs: number, signal: AbortSignal, also?: number): Promise<IncomingMessage>;
  /**
   * Sends JSON, and resolves to the answer, whose status is 200 or 201, and whose body must be read or destroyed.
   * `headMs` limits the time until its head is here. Rejects with `ApiError`; without a status in it, nobody knows
   * whether the server has taken it.
   */
  send(
    method: 'POST' | 'PUT',
    path: string,
    body: object,
    headMs: number,
    signal: AbortSignal,
  ): Promise<IncomingMessage>;
}

/** What is read of an error's body, in bytes. */
const MAX_ERROR_BYTES = 8 * 1024;
const LONGEST_REASON = 300;
/** How long a connection is silent before TCP asks for a sign of life, in ms. */
const KEEP_ALIVE_MS = 15_000;
const LONGEST_RETRY_AFTER_S = 60;

type Prepared = RequestOptions &
  Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> & { readonly headers: Readonly<Record<string, string>> };

/**
 * Creates a client of an API that takes bearer tokens. Each request has a connection of its own: there are few, and a new connection is the one
 * proof that the server can be reached.
 */
export function createHttpApi({ server, tokenFile, caFile, client }: ApiTarget): HttpApi {
  const { protocol, hostname, port, pathname } = new URL(server);
  const host = withoutBrackets(hostname);
  const base = pathname === '/' ? '' : pathname;

  async function prepared(path: string): Promise<Prepared> {
    const token = tokenFile === null ? null : (await textOf(tokenFile, 'the token')).trim();
    const ca = caFile === null ? null : await textOf(caFile, 'the authority');
    const cert = client === undefined ? null : await textOf(client.certFile, 'the certificate');
    const key = client === undefined ? null : await textOf(client.keyFile, 'the key');
    return {
      host,
      ...(port === '' ? {} : { port }),
      path: base + path,
      agent: false,
      headers: {
        accept: 'application/json',
        'user-agent': 'druid-gateway',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(ca === null ? {} : { ca }),
      ...(cert === null || key === null ? {} : { cert, key }),
    };
  }

  async function asked(
    path: string,
    headMs: number,
    signal: AbortSignal,
    also: number,
    method = 'GET',
    body: object | null = null,
  ): Promise<IncomingMessage> {
    const options = await prepared(path);
    const text = body === null ? null : Buffer.from(JSON.stringify(body));
    const whole = {
      ...options,
      method,
      headers: {
        ...options.headers,
        ...(text === null
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(text.byteLength) }),
      },
    };
    const answer = await headOf(
      (limit) =>
        protocol === 'https:'
          ? https.request({ ...whole, rejectUnauthorized: true, signal: limit })
          : http.request({ ...whole, signal: limit }),
      headMs,
      signal,
      text,
    );
    if (answer.statusCode === 200 || answer.statusCode === also) return answer;
    throw await errorOf(answer);
  }

  return {
    get: (path, headMs, signal, also = 200) => asked(path, headMs, signal, also),
    send: (method, path, body, headMs, signal) => asked(path, headMs, signal, 201, method, body),
  };
}

async function textOf(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new ApiError(`${what} in ${file} cannot be read (${codeOf(error)})`);
  }
}

/** `signal` ends the request and its answer at any time, the limit only until the head is here. */
function headOf(
  send: (signal: AbortSignal) => http.ClientRequest,
  headMs: number,
  signal: AbortSignal,
  body: Buffer | null,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const limit = new AbortController();
    const end = (): void => limit.abort();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      end();
    }, headMs);
    const settle = (): void => clearTimeout(timer);
    const forget = (): void => signal.removeEventListener('abort', end);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    const fail = (message: string): void => {
      settle();
      reject(new ApiError(message));
    };
    let sent: http.ClientRequest;
    try {
      sent = send(limit.signal);
    } catch (error) {
      // A token that is no header, an authority that is no PEM, or a key that is of another certificate.
      forget();
      fail(`cannot be asked (${codeOf(error)})`);
      return;
    }
    sent.once('close', forget);
    sent.once('socket', (socket: Socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
    sent.once('response', (answer) => {
      settle();
      // Without a listener an error of a body that nobody reads any more would end the process.
      answer.on('error', () => {});
      resolve(answer);
    });
    sent.once('upgrade', (_, socket) => {
      socket.destroy();
      fail('has changed the protocol');
    });
    sent.on('error', (error) =>
      fail(late ? 'did not answer in time' : `cannot be reached (${codeOf(error)})`),
    );
    if (body === null) sent.end();
    else sent.end(body);
  });
}

/** Kubernetes says in words what is refused, as JSON (`Status`), and Consul as text. */
async function errorOf(answer: IncomingMessage): Promise<ApiError> {
  const status = answer.statusCode ?? 0;
  const after = Number(answer.headers['retry-after'] ?? 0);
  const retryAfterMs = after > 0 ? Math.min(after, LONGEST_RETRY_AFTER_S) * 1_000 : 0;
  const body = await bounded(answer, MAX_ERROR_BYTES).catch(() => null);
  return new ApiError(`answered ${status}${reasonOf(body)}`, status, retryAfterMs);
}

function reasonOf(body: Buffer | null): string {
  if (body === null) return '';
  try {
    const { message } = JSON.parse(body.toString('utf8')) as { message?: unknown };
    return typeof message === 'string' ? `: ${shown(message)}` : '';
  } catch {
    return body.length === 0 ? '' : `: ${shown(body.toString('utf8').trim())}`;
  }
}

/** The server's own text, so that a log or a terminal can show it. */
export function shown(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').slice(0, LONGEST_REASON);
}

/** Resolves to a whole body. Rejects with `ApiError` if it is longer than `maxBytes`, late, or cut off. */
export async function bounded(answer: IncomingMessage, maxBytes: number, ms = 5_000): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    answer.destroy();
  }, ms);
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size > maxBytes) throw new ApiError(`answered with more than ${maxBytes} bytes`);
    }
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError(late ? 'did not answer in time' : `ended its answer early (${codeOf(error)})`);
  } finally {
    clearTimeout(timer);
  }
  if (late) throw new ApiError('did not answer in time');
  return Buffer.concat(chunks);
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'no reason given';
}
