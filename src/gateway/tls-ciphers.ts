import { constants } from 'node:crypto';
import tls from 'node:tls';

const FIRST = 'TLS_AES_128_GCM_SHA256';

/**
 * Returns the cipher suites of a listener, the preferred ones first: those of Node.js, but of TLS 1.3's the one with AES
 * of 128 bits and SHA-256 first, as Node.js has it for TLS 1.2, and as Mozilla's guidelines do. Processors have
 * instructions for SHA-256; with SHA-384 a handshake costs a twelfth more. Clients that want another suite get it. Another
 * list than its own that Node.js was given (`--tls-cipher-list`) is left as it is.
 */
export function listenCiphers(present: string = tls.DEFAULT_CIPHERS): string {
  if (present !== constants.defaultCoreCipherList) return present;
  return [FIRST, ...present.split(':').filter((suite) => suite !== FIRST)].join(':');
}
