import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from '../config/schema.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** When the certificates in use end. */
export interface CertificateEnds {
  /** Epoch milliseconds by file; a file that could not be read as certificates has none. */
  readonly ends: ReadonlyMap<string, number>;
  /** The files that this configuration names have been taken up as they are now. */
  renew(config: Config): void;
}

/** Reads the certificates that the gateway shows: those of its listeners, and those for nodes and sources of discovery. */
export function readCertificateEnds(config: Config): CertificateEnds {
  const ends = new Map<string, number>();

  function read(file: string | undefined): void {
    const end = file === undefined ? null : endOf(file);
    if (file !== undefined && end !== null) ends.set(file, end);
  }

  const renew = ({ listen, admin, upstream, zookeeper, kubernetes, consul }: Config): void => {
    ends.clear();
    for (const { tls } of [listen, admin, upstream, zookeeper]) read(tls?.certFile);
    for (const source of [kubernetes, consul]) read(source?.certFile);
  };
  renew(config);
  return { ends, renew };
}

/** The first end of a file's certificates, which may be a whole chain; null if there are none. */
function endOf(file: string): number | null {
  try {
    const found = readFileSync(file, 'utf8').match(CERTIFICATE) ?? [];
    const ends = found.map((pem) => Date.parse(new X509Certificate(pem).validTo));
    return ends.length === 0 ? null : Math.min(...ends);
  } catch {
    // Whoever uses the file says what is wrong with it.
    return null;
  }
}
