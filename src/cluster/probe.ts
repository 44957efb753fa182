import type { AddressOf, NodeTls, UpstreamNode } from './node.ts';
import { createNodeAgent } from './node-agent.ts';

/** The result of one probe: the answer's status and the beginning of its body, or why there is no answer. */
export type ProbeAnswer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body: string;
      /** By names in lower case; untrusted, and absent in what is no real answer. */
      readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
    }
  /** No connection. `why` describes the TLS fault, if there is one. */
  | { readonly kind: 'refused'; readonly why?: string }
  | { readonly kind: 'silent' };

/** GETs `origin + path`, with these headers. Never rejects, and never takes longer than its time limit. */
export type Probe = (
  origin: string,
  path: string,
  headers?: Readonly<Record<string, string>>,
) => Promise<ProbeAnswer>;

export interface ProbeClient {
  readonly probe: Probe;
  /** Forgets the connections to all but these origins, if it keeps any for long. */
  retain?(origins: ReadonlyMap<string, UpstreamNode>): void;
  close(): Promise<void>;
}

export interface ProbeClientOptions {
  /** Milliseconds for the whole probe, including the connection. */
  readonly timeoutMs: number;
  /** What is read of a body; by default 4 KiB. */
  readonly maxBodyBytes?: number;
  readonly tls?: NodeTls;
  /** The IP address to connect to instead of the host of an origin; null or absent if that is to be resolved. */
  readonly addressOf?: AddressOf;
  /** TLS to a node fails with a new fault: not the one last reported, or the first since the node answered. */
  readonly onTlsFault?: (origin: string, why: string) => void;
}

/** What is read of a body where nobody says otherwise. */
export const MAX_BODY_BYTES = 4096;
/** How long an idle connection is kept: longer than the usual intervals, so that each probe finds one. */
export const KEEP_ALIVE_MS = 10_000;
/** Number of nodes whose last reported TLS fault is remembered. */
const MOST_FAULTS = 1_000;
/** Codes of OpenSSL and Node.js for an untrusted certificate (`X509 certificate error codes` of `node:tls`). */
const UNTRUSTED =
  /^(?:CERT_|CRL_|DEPTH_ZERO_SELF_SIGNED_CERT|ERROR_IN_(?:CERT|CRL)_|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)|PATH_LENGTH_EXCEEDED|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_)/;
const NO_TLS = /^(?:EPROTO$|ERR_SSL_)/;
const NO_CONNECTION = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);

/**
 * Probes over separate connections, so a probe never waits behind requests. GET only: Druid answers HEAD with 405 on
 * every path (AllowHttpMethodsResourceFilter).
 */
export function createProbeClient({
  timeoutMs,
  maxBodyBytes = MAX_BODY_BYTES,
  tls,
  addressOf,
  onTlsFault,
}: ProbeClientOptions): ProbeClient {
  const agent = createNodeAgent({
    connections: 4,
    keepAliveMs: KEEP_ALIVE_MS,
    ...(tls === undefined ? {} : { tls }),
    ...(addressOf === undefined ? {} : { addressOf }),
  });
  const silent = unanswered(onTlsFault);

  return {
    async probe(origin, path, sent = {}) {
      try {
        const signal = AbortSignal.timeout(timeoutMs);
        const answer = await agent.get(origin, path, sent, signal);
        const chunks: Buffer[] = [];
        let size = 0;
        for await (const chunk of answer as AsyncIterable<Buffer>) {
          chunks.push(chunk);
          size += chunk.byteLength;
          // Leaving the loop destroys the body, and with it the connection of a node that sends too much.
          if (size > maxBodyBytes) break;
        }
        silent.forget(origin);
        return {
          kind: 'answer',
          status: answer.statusCode ?? 0,
          body: Buffer.concat(chunks).toString('latin1', 0, maxBodyBytes),
          headers: answer.headers,
        };
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        return silent.answer(origin, code);
      }
    },
    async close() {
      agent.close();
    },
  };
}

/** What becomes of probes that get no answer. */
export interface Unanswered {
  /** `code`: the system's or OpenSSL's; empty if there is none. */
  answer(origin: string, code: string): ProbeAnswer;
  /** The node has answered: its next fault is a new one. */
  forget(origin: string): void;
}

/** `onTlsFault` is told of each new fault of a node's TLS. */
export function unanswered(onTlsFault: ProbeClientOptions['onTlsFault']): Unanswered {
  const faults = new Map<string, string>();
  return {
    answer(origin, code) {
      const why = tlsFault(code);
      if (why === null) return NO_CONNECTION.has(code) ? { kind: 'refused' } : { kind: 'silent' };
      if (faults.get(origin) !== why) {
        if (faults.size >= MOST_FAULTS) faults.clear();
        faults.set(origin, why);
        onTlsFault?.(origin, why);
      }
      return { kind: 'refused', why };
    },
    forget: (origin) => void faults.delete(origin),
  };
}

/** The TLS fault that an error code stands for, as the end of a sentence; null if it is no TLS fault. */
function tlsFault(code: string): string | null {
  if (UNTRUSTED.test(code)) return `its certificate is not trusted (${code})`;
  return NO_TLS.test(code) ? `TLS failed (${code})` : null;
}
