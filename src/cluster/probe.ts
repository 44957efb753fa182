import { Agent } from 'undici';
import type { NodeTls } from './node.ts';

/** What came of one probe: an answer's status and the beginning of its body, or why there was none. */
export type ProbeAnswer =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  /** No connection; `why` says what is wrong with TLS, if it is that. */
  | { readonly kind: 'refused'; readonly why?: string }
  | { readonly kind: 'silent' };

/** GETs `origin + path`; never rejects, never takes longer than its time limit. */
export type Probe = (origin: string, path: string) => Promise<ProbeAnswer>;

export interface ProbeClient {
  readonly probe: Probe;
  close(): Promise<void>;
}

export interface ProbeClientOptions {
  /** For a whole probe, connection included, in milliseconds. */
  readonly timeoutMs: number;
  readonly tls?: NodeTls;
  /** TLS to a node fails, in another way than when it was asked before. */
  readonly onTlsFault?: (origin: string, why: string) => void;
}

const MAX_BODY = 4096;
/** Nodes whose fault of TLS is remembered as told. */
const MOST_FAULTS = 1_000;
/** What OpenSSL and Node.js say of a certificate that they do not trust (`X509 certificate error codes` of `node:tls`). */
const UNTRUSTED =
  /^(?:CERT_|CRL_|DEPTH_ZERO_SELF_SIGNED_CERT|ERROR_IN_(?:CERT|CRL)_|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)|PATH_LENGTH_EXCEEDED|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_)/;
const NO_TLS = /^(?:EPROTO$|ERR_SSL_)/;
const NO_CONNECTION = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);

/**
 * Probes over connections of their own, so that they never wait behind requests. GET only: Druid answers HEAD with
 * 405 on every path (AllowHttpMethodsResourceFilter).
 */
export function createProbeClient({ timeoutMs, tls, onTlsFault }: ProbeClientOptions): ProbeClient {
  const agent = new Agent({
    connections: 4,
    keepAliveTimeout: 10_000,
    // Whatever the node says.
    keepAliveMaxTimeout: 10_000,
    allowH2: false,
    connect: { ...tls, timeout: timeoutMs },
  });
  const faults = new Map<string, string>();

  function tell(origin: string, why: string): void {
    if (faults.get(origin) === why) return;
    if (faults.size >= MOST_FAULTS) faults.clear();
    faults.set(origin, why);
    onTlsFault?.(origin, why);
  }

  return {
    async probe(origin, path) {
      try {
        const signal = AbortSignal.timeout(timeoutMs);
        const { statusCode, body } = await agent.request({ origin, path, method: 'GET', signal });
        const chunks: Buffer[] = [];
        let size = 0;
        for await (const chunk of body as AsyncIterable<Buffer>) {
          chunks.push(chunk);
          size += chunk.byteLength;
          // Leaving the loop destroys the rest, and with it a connection that talks too much.
          if (size > MAX_BODY) break;
        }
        faults.delete(origin);
        return {
          kind: 'answer',
          status: statusCode,
          body: Buffer.concat(chunks).toString('latin1', 0, MAX_BODY),
        };
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        const why = tlsFault(code);
        if (why !== null) {
          tell(origin, why);
          return { kind: 'refused', why };
        }
        return NO_CONNECTION.has(code) ? { kind: 'refused' } : { kind: 'silent' };
      }
    },
    close: () => agent.destroy(),
  };
}

/** What is wrong with TLS to a node by the code of the error, as the end of a sentence; null where it is not that. */
function tlsFault(code: string): string | null {
  if (UNTRUSTED.test(code)) return `its certificate is not trusted (${code})`;
  return NO_TLS.test(code) ? `TLS failed (${code})` : null;
}
