import { Agent } from 'undici';
import type { NodeTls } from './node.ts';

/** What came of one probe: an answer's status and the beginning of its body, or why there was none. */
export type ProbeAnswer =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | { readonly kind: 'refused' }
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
}

const MAX_BODY = 4096;
const NO_CONNECTION = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);

/**
 * Probes over connections of their own, so that they never wait behind requests. GET only: Druid answers HEAD with
 * 405 on every path (AllowHttpMethodsResourceFilter).
 */
export function createProbeClient({ timeoutMs, tls }: ProbeClientOptions): ProbeClient {
  const agent = new Agent({
    connections: 4,
    keepAliveTimeout: 10_000,
    // Whatever the node says.
    keepAliveMaxTimeout: 10_000,
    allowH2: false,
    connect: { ...tls, timeout: timeoutMs },
  });
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
        return {
          kind: 'answer',
          status: statusCode,
          body: Buffer.concat(chunks).toString('latin1', 0, MAX_BODY),
        };
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        return NO_CONNECTION.has(code) ? { kind: 'refused' } : { kind: 'silent' };
      }
    },
    close: () => agent.destroy(),
  };
}
