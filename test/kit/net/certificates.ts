import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of PEM files. */
export interface Certificates {
  readonly ca: string;
  /** Key and certificate in one file, for 127.0.0.1. */
  readonly server: string;
  readonly clientCert: string;
  readonly clientKey: string;
  /** An authority that signed none of these. */
  readonly strangerCa: string;
}

/** An authority with a server's and a client's certificate, made with openssl in an existing folder. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const authority = (name: string) =>
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      ...['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)],
    );
  await authority('ca');
  await authority('stranger');
  await writeFile(at('server.ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  await writeFile(at('client.ext'), 'extendedKeyUsage=clientAuth\n');
  for (const name of ['server', 'client']) {
    await openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      ...['-keyout', at(`${name}.key`), '-out', at(`${name}.csr`)],
    );
    await openssl(
      'x509',
      '-req',
      '-days',
      '2',
      '-in',
      at(`${name}.csr`),
      '-CA',
      at('ca.pem'),
      ...[
        '-CAkey',
        at('ca.key'),
        '-CAcreateserial',
        '-extfile',
        at(`${name}.ext`),
        '-out',
        at(`${name}.pem`),
      ],
    );
  }
  const serverFile = at('server-both.pem');
  await writeFile(
    serverFile,
    (await readFile(at('server.key'), 'utf8')) + (await readFile(at('server.pem'), 'utf8')),
  );
  return {
    ca: at('ca.pem'),
    server: serverFile,
    clientCert: at('client.pem'),
    clientKey: at('client.key'),
    strangerCa: at('stranger.pem'),
  };
}
