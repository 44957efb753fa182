import tls, { type SecureContextOptions } from 'node:tls';
import type { NodeTls } from '../cluster/node.ts';
import { clientPems, pem } from '../config/pem-files.ts';
import type { ListenTls, UpstreamTls, ZooKeeperTlsFiles } from '../config/schema.ts';
import { codeOf } from '../config/yaml-source.ts';
import type { ZooKeeperTls } from '../discovery/zookeeper/tls.ts';
import { listenCiphers } from './tls-ciphers.ts';

/**
 * Reads certificate and key of a listener. Throws an Error of one sentence if a file cannot be read, or if the key does
 * not fit the certificate.
 */
export function listenTls(files: ListenTls): SecureContextOptions & { readonly requestCert: boolean } {
  const { certFile, keyFile, caFile, keyPassphraseFile, requireClientCertificate } = files;
  const options = {
    cert: pem(certFile),
    key: pem(keyFile),
    ciphers: listenCiphers(),
    requestCert: requireClientCertificate,
    ...(caFile === undefined ? {} : { ca: pem(caFile) }),
    ...(keyPassphraseFile === undefined ? {} : { passphrase: pem(keyPassphraseFile).trimEnd() }),
  };
  try {
    tls.createSecureContext(options);
  } catch (error) {
    throw new Error(
      `the certificate ${certFile} and the key ${keyFile} cannot be used (${opensslReason(error)})`,
    );
  }
  return options;
}

/** Returns OpenSSL's word for what is wrong, such as `key values mismatch`. */
function opensslReason(error: unknown): string {
  return error instanceof Error && 'reason' in error ? String(error.reason) : codeOf(error);
}

/**
 * Reads the token that actions require. Throws if the file is unreadable, or if the token is short enough to guess.
 */
export function tokenOf(file: string): string {
  const token = pem(file).trim();
  if (!/^[\x21-\x7e]{16,}$/.test(token)) {
    throw new Error(`admin.tokenFile: ${file} must hold a token of 16 characters or more, without blanks`);
  }
  return token;
}

/**
 * Reads what the gateway trusts and presents to Druid's nodes. Throws an Error of one sentence if a file is
 * unreadable or holds something else, or if the key does not fit the certificate.
 */
export function upstreamTls({ verify, ...files }: UpstreamTls): NodeTls {
  const pems = clientPems(files);
  try {
    tls.createSecureContext(pems);
  } catch (error) {
    throw new Error(`the files of upstream.tls cannot be used (${opensslReason(error)})`);
  }
  return { ...pems, rejectUnauthorized: verify };
}

/** Reads what the gateway trusts and presents to ZooKeeper. Throws an Error with the path of an unreadable file. */
export function zookeeperTls({ serverName, verify, ...files }: ZooKeeperTlsFiles): ZooKeeperTls {
  return {
    ...clientPems(files),
    rejectUnauthorized: verify,
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}
