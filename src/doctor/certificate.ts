import { isIP } from 'node:net';
import nodeTls from 'node:tls';
import type { CertificateFacts } from './facts.ts';

export interface CertificateTarget {
  readonly host: string;
  readonly port: number;
  /** The name that the certificate must have; by default the host. */
  readonly servername?: string | undefined;
  /** What is trusted and presented, as options of `tls.connect`. */
  readonly tls: object;
}

/**
 * Reads the certificate of a TLS server and whether it is trusted for its name. Never rejects and sends nothing; null
 * where there is no TLS within `timeoutMs`.
 */
export function inspectCertificate(
  target: CertificateTarget,
  timeoutMs: number,
): Promise<CertificateFacts | null> {
  const { host, port, servername, tls } = target;
  return new Promise((resolve) => {
    const name = servername ?? (isIP(host) === 0 ? host : undefined);
    const socket = nodeTls.connect({
      host,
      port,
      ...tls,
      // The judgement is wanted, not an error.
      rejectUnauthorized: false,
      ...(name === undefined ? {} : { servername: name }),
    });
    const timer = setTimeout(() => end(null), timeoutMs);
    function end(facts: CertificateFacts | null): void {
      clearTimeout(timer);
      socket.destroy();
      resolve(facts);
    }
    socket.on('error', () => end(null));
    socket.on('close', () => end(null));
    socket.on('secureConnect', () => {
      const { valid_to: validTo } = socket.getPeerCertificate();
      const problem: unknown = socket.authorizationError;
      end({
        validTo: typeof validTo === 'string' ? Date.parse(validTo) : null,
        problem: socket.authorized ? null : problemOf(problem),
      });
    });
  });
}

/** Node.js gives a code here, or an error with one. */
function problemOf(problem: unknown): string {
  if (typeof problem === 'object' && problem !== null && 'code' in problem) return String(problem.code);
  return String(problem);
}
