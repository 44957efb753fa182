import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { outputOf, type Tls } from './peers/peer.ts';

/** As OpenSSL reads it, and Node.js, which has a section of its own. */
const NO_TICKETS = `openssl_conf = all
nodejs_conf = all
[all]
ssl_conf = modules
[modules]
system_default = defaults
[defaults]
NumTickets = 0
`;

/** A certificate of ECDSA P-256 for 127.0.0.1, made with openssl in an existing folder. */
export async function makeTls(folder: string): Promise<Tls> {
  const at = (name: string): string => join(folder, name);
  const tls: Tls = {
    cert: at('cert.pem'),
    key: at('key.pem'),
    both: at('both.pem'),
    openssl: at('openssl.cnf'),
  };
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const name = ['-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await outputOf('openssl', 'req', '-x509', ...kind, ...name, '-keyout', tls.key, '-out', tls.cert);
  await writeFile(tls.both, (await readFile(tls.cert, 'utf8')) + (await readFile(tls.key, 'utf8')), {
    mode: 0o600,
  });
  await writeFile(tls.openssl, NO_TICKETS);
  return tls;
}
