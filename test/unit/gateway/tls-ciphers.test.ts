import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listenCiphers } from '../../../src/gateway/tls-ciphers.ts';
import { listenTls } from '../../../src/gateway/tls-files.ts';
import { makeCertificates } from '../../kit/net/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-ciphers-'));
let server: Server;

beforeAll(async () => {
  const { server: pem } = await makeCertificates(folder);
  server = createServer(
    listenTls({ certFile: pem, keyFile: pem, requireClientCertificate: false }),
    (socket) => socket.on('error', () => {}).end(),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  server.close();
  await once(server, 'close');
  rmSync(folder, { recursive: true });
});

async function suite(options: ConnectionOptions): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  const { name } = socket.getCipher();
  socket.resume();
  await once(socket, 'close');
  return name;
}

test('the suite that costs least is preferred, and a client that wants another gets it', async () => {
  expect(await suite({})).toBe('TLS_AES_128_GCM_SHA256');
  expect(await suite({ ciphers: 'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256' })).toBe(
    'TLS_AES_128_GCM_SHA256',
  );
  for (const ciphers of ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']) {
    expect(await suite({ ciphers })).toBe(ciphers);
  }
  expect(await suite({ maxVersion: 'TLSv1.2' })).toBe('ECDHE-RSA-AES128-GCM-SHA256');
});

test('a list that Node.js was given is left as it is', () => {
  expect(listenCiphers('TLS_AES_256_GCM_SHA384')).toBe('TLS_AES_256_GCM_SHA384');
});
