import { readFileSync } from 'node:fs';
import { codeOf } from './yaml-source.ts';

/** The files of a TLS client. */
export interface ClientFiles {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** The same as options of `node:tls`. */
export interface ClientPems {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Reads the files of a TLS client that are named. Throws an Error with the path of an unreadable one. */
export function clientPems({ caFile, certFile, keyFile }: ClientFiles): ClientPems {
  return {
    ...(caFile === undefined ? {} : { ca: pem(caFile) }),
    ...(certFile === undefined ? {} : { cert: pem(certFile) }),
    ...(keyFile === undefined ? {} : { key: pem(keyFile) }),
  };
}

/** Reads a file of text. Throws an Error with its path if it is unreadable. */
export function pem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`the file ${file} cannot be read (${codeOf(error)})`);
  }
}
