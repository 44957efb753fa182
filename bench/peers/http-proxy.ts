import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../tools/druid-cluster/ports.ts';
import { answers200, waitFor } from '../../tools/druid-cluster/wait.ts';
import { type Peer, startPinned } from './peer.ts';

const SERVER = fileURLToPath(new URL('http-proxy-server.ts', import.meta.url));
const PACKAGE = new URL('../../node_modules/@fastify/http-proxy/package.json', import.meta.url);

export const httpProxyPeer: Peer = {
  name: 'http-proxy',
  about:
    'Fastify with @fastify/http-proxy as it comes, two upstreams by turns, a line of log for each request written in batches, no metrics, no health checks',
  setups: ['relay', 'redirect'],
  gateway: false,
  follows: false,
  warmUpSeconds: 5,
  missing: async () => null,
  async version() {
    return (JSON.parse(await readFile(PACKAGE, 'utf8')) as { version: string }).version;
  },
  async start(setup, place) {
    const [port = 0] = await freePorts(1);
    const { overlord, brokers, folder, signal } = place;
    const [coordinator] = place.coordinators;
    const log = join(folder, 'access.log');
    const redirect = setup === 'redirect';
    const settings = JSON.stringify({ port, coordinator, overlord, brokers, redirect, log });
    const started = await startPinned(place, 'http-proxy', process.execPath, [SERVER, settings]);
    const url = `http://127.0.0.1:${port}`;
    await waitFor('http-proxy', () => answers200(`${url}/status/health`), {
      timeoutMs: 30_000,
      process: started,
      signal,
    });
    return { url, process: started };
  },
};
