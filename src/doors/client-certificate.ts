import type { Socket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';

/** Kinds of alternative names, as Node.js writes them, that can name who shows a certificate. */
const ALTERNATIVE = /(?:^|, )(?:email|URI|DNS):("(?:[^"\\]|\\.)*"|[^,]+)/;

const names = new WeakMap<Socket, string | null>();

/**
 * The name in the certificate that a client has shown: its subject's common name, else the first alternative name. Null
 * if it has shown none that verifies. Read once for a connection, while that is open.
 */
export function certificateName(socket: Socket | TLSSocket): string | null {
  if (!('encrypted' in socket) || !socket.authorized) return null;
  const known = names.get(socket);
  if (known !== undefined) return known;
  const name = nameIn(socket.getPeerCertificate());
  names.set(socket, name);
  return name;
}

/** Node.js gives null for a connection that is over, and an empty certificate where there is none. */
function nameIn(certificate: Partial<PeerCertificate> | null): string | null {
  // A list where there are several.
  const common = [certificate?.subject?.CN ?? []].flat()[0];
  if (common !== undefined && common !== '') return common;
  return ALTERNATIVE.exec(certificate?.subjectaltname ?? '')?.[1] ?? null;
}
