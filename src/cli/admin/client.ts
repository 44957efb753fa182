import { request as overHttp } from 'node:http';
import https from 'node:https';
import { plainText } from '../output/plain-text.ts';
import { textIn } from '../output/values.ts';
import type { AdminAddress } from './address.ts';

/** The answer of an admin listener. */
export interface AdminAnswer {
  readonly status: number;
  /** Parsed JSON. */
  readonly body: unknown;
}

export interface AdminQuestion {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Path and query. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Longest time until the answer is whole, in ms. */
  readonly timeoutMs?: number;
  /** It changes something: show the token. */
  readonly acts?: true;
  /** Statuses from 400 on that are answers, not failures. */
  readonly accepts?: readonly number[];
}

const TIMEOUT_MS = 10_000;
/** Longest answer in bytes; that of a very large cluster is below a megabyte. */
const LONGEST = 64 * 1024 * 1024;

/**
 * Asks an admin listener. Rejects with an Error of one sentence that says what to do: it cannot be reached, refuses,
 * or is no admin listener.
 */
export async function askAdmin(address: AdminAddress, question: AdminQuestion): Promise<AdminAnswer> {
  const token = question.acts === true ? address.token() : null;
  const { status, text } = await send(address, token, question).catch((error: unknown) => {
    throw new Error(unreached(address, error));
  });
  const refused = (what: string): Error => new Error(`${address.origin} ${what}`);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw refused(
      `answers ${status} without JSON; is it the admin listener of a gateway? --admin URL names it`,
    );
  }
  if (status < 300 || question.accepts?.includes(status)) return { status, body };
  throw refused(refusal(status, body, token !== null));
}

function send(
  { origin, tls }: AdminAddress,
  token: string | null,
  { method, path, body, timeoutMs = TIMEOUT_MS }: AdminQuestion,
): Promise<{ status: number; text: string }> {
  const content = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    accept: 'application/json',
    ...(content === ''
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  };
  return new Promise((resolve, reject) => {
    const url = new URL(path, origin);
    const open = url.protocol === 'https:' ? https.request : overHttp;
    const sent = open(url, { method, headers, agent: false, ...tls }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > LONGEST) sent.destroy(new Error('its answer is too long'));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    const timer = setTimeout(() => {
      sent.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' }));
    }, timeoutMs);
    sent.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.end(content);
  });
}

/** Says why an address was not reached, in one sentence. */
function unreached({ origin }: AdminAddress, error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const elsewhere = 'is the gateway running? --admin URL names another address';
  if (code === 'ECONNREFUSED') return `nothing listens at ${origin}; ${elsewhere}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `${origin} has a host name that is not known`;
  if (code === 'ETIMEDOUT') return `${origin} does not answer in time; ${elsewhere}`;
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    const hint = origin.startsWith('http:')
      ? 'it may take HTTPS only'
      : 'it may ask for a certificate: --cert, --key';
    return `${origin} ends the connection without an answer; ${hint}`;
  }
  if (code.startsWith('HPE_')) return `${origin} answers with something that is no HTTP`;
  if (origin.startsWith('https:') && /CERT|SSL|TLS|ISSUER|SIGNATURE/.test(code)) {
    return `${origin} cannot be trusted (${code}); --ca FILE names the authority of its certificate`;
  }
  return `${origin} cannot be asked: ${plainText(code === '' ? message : code)}`;
}

/** Says what a refusal means; it completes a sentence that begins with the address. */
function refusal(status: number, body: unknown, hadToken: boolean): string {
  if (status === 401) {
    const to = hadToken ? 'does not take this token' : 'takes this only with its token';
    return `${to}: --token-file FILE, or DRUID_GATEWAY_TOKEN in the environment`;
  }
  const said = plainText(saidBy(body));
  if (status === 404 && (said === 'not found' || /^path_/.test(textIn(body, 'context', 'reason')))) {
    return 'has no such path (404); is it the admin listener of a gateway of this version? --admin URL names it';
  }
  return said === '' ? `refuses with ${status}` : `refuses with ${status}: ${said}`;
}

/** The sentence in an error of the admin listener, or in one that is shaped as Druid's. */
function saidBy(body: unknown): string {
  if (typeof body !== 'object' || body === null) return '';
  const { errorMessage, error } = body as { errorMessage?: unknown; error?: unknown };
  if (typeof errorMessage === 'string') return errorMessage;
  return typeof error === 'string' ? error : '';
}
