import { readFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import type { NodeTls } from '../cluster/node.ts';
import type { ListenTls, UpstreamTls, ZooKeeperTlsFiles } from '../config/schema.ts';
import type { ZooKeeperTls } from '../discovery/zookeeper/tls.ts';

/** Reads certificate and key of the listener. Throws an Error with the path of a file that cannot be read. */
export function listenTls(files: ListenTls): SecureContextOptions & { readonly requestCert: boolean } {
  const { certFile, keyFile, caFile, keyPassphraseFile, requireClientCertificate } = files;
  return {
    cert: pem(certFile),
    key: pem(keyFile),
    requestCert: requireClientCertificate,
    ...(caFile === undefined ? {} : { ca: pem(caFile) }),
    ...(keyPassphraseFile === undefined ? {} : { passphrase: pem(keyPassphraseFile).trimEnd() }),
  };
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
 * Reads what the gateway trusts and presents to Druid's nodes. Throws an Error with the path of an unreadable file.
 */
export function upstreamTls({ caFile, certFile, keyFile, verify }: UpstreamTls): NodeTls {
  return { ...clientFiles(caFile, certFile, keyFile), rejectUnauthorized: verify };
}

/** Reads what the gateway trusts and presents to ZooKeeper. Throws an Error with the path of an unreadable file. */
export function zookeeperTls({ serverName, verify, ...files }: ZooKeeperTlsFiles): ZooKeeperTls {
  const { caFile, certFile, keyFile } = files;
  return {
    ...clientFiles(caFile, certFile, keyFile),
    rejectUnauthorized: verify,
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

function clientFiles(caFile: string | undefined, certFile: string | undefined, keyFile: string | undefined) {
  return {
    ...(caFile === undefined ? {} : { ca: pem(caFile) }),
    ...(certFile === undefined ? {} : { cert: pem(certFile) }),
    ...(keyFile === undefined ? {} : { key: pem(keyFile) }),
  };
}

function pem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new Error(`the file ${file} cannot be read (${code})`);
  }
}
