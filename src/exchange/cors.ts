import { type HeaderBlock, headerValue, lineEnd } from '../http/header-block.ts';
import type { RequestFields } from '../http/request-fields.ts';
import type { RequestHead } from './ports/client.ts';

export interface CorsOptions {
  /** Allowed origins as browsers write them, or only `*` for all. */
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly credentials: boolean;
  readonly maxAgeMs: number;
}

/** The configured rules for pages of other origins. They replace those of the nodes. */
export interface CorsPolicy {
  /** Whether a page of this origin may send requests with this method. */
  allows(origin: string | null, method: string): boolean;
  /** The headers of an answer with the node's `Access-Control-*` replaced by ours. */
  amend(headers: HeaderBlock, head: RequestHead): HeaderBlock;
}

const ASKED_METHOD = 'access-control-request-method';
const NODES_OWN = /^access-control-/i;

/** Whether the request is a CORS preflight (Fetch 3.3.5, CORS-preflight request). */
export function isPreflight({ method, block }: RequestHead): boolean {
  return method === 'OPTIONS' && headerValue(block, ASKED_METHOD) !== null;
}

/** An origin as browsers write it (HTML 7.1.1): in lower case, without the scheme's default port. */
export function serializedOrigin(text: string): string {
  return /^https?:/i.test(text) && URL.canParse(text) ? new URL(text).origin : text.toLowerCase();
}

/** Creates the policy. Returns null if no origins are configured; the nodes' own CORS headers are then relayed. */
export function createCorsPolicy(options: CorsOptions): CorsPolicy | null {
  const { credentials } = options;
  if (options.origins.length === 0) return null;
  const any = options.origins.includes('*');
  const origins = new Set(options.origins.map(serializedOrigin));
  const methods = new Set(options.methods);
  const forPreflight =
    `Access-Control-Allow-Methods: ${options.methods.join(', ')}\r\n` +
    (options.headers.length === 0 ? '' : `Access-Control-Allow-Headers: ${options.headers.join(', ')}\r\n`) +
    `Access-Control-Max-Age: ${Math.floor(options.maxAgeMs / 1000)}\r\n`;
  const isAllowed = (origin: string | null): origin is string =>
    origin !== null && (any || origins.has(origin));

  function ours({ origin }: RequestFields, preflight: boolean): HeaderBlock {
    // A cache must not give the answer for one origin to another (RFC 9110 12.5.5).
    const vary = any ? '' : 'Vary: Origin\r\n';
    if (!isAllowed(origin)) return vary;
    const own = `Access-Control-Allow-Origin: ${any ? '*' : origin}\r\n${vary}`;
    return (
      own +
      (credentials ? 'Access-Control-Allow-Credentials: true\r\n' : '') +
      (preflight ? forPreflight : '')
    );
  }

  return {
    allows: (origin, method) => isAllowed(origin) && methods.has(method),
    amend: (headers, head) => withoutNodesOwn(headers) + ours(head.fields, isPreflight(head)),
  };
}

function withoutNodesOwn(block: HeaderBlock): HeaderBlock {
  let kept = '';
  let from = 0;
  for (let at = 0; at < block.length; ) {
    const next = lineEnd(block, at) + 2;
    if (NODES_OWN.test(block.slice(at, at + 15))) {
      kept += block.slice(from, at);
      from = next;
    }
    at = next;
  }
  return from === 0 ? block : kept + block.slice(from);
}
