import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../../tools/druid-cluster/ports.ts';
import { answers200, waitFor } from '../../tools/druid-cluster/wait.ts';
import { outputOf, type Peer, type Place, type Secure, type Setup, startPinned } from './peer.ts';

const COORDINATOR_LEADS = '/druid/coordinator/v1/isLeader';
const OVERLORD_LEADS = '/druid/indexer/v1/isLeader';
const BROKER_READY = '/druid/broker/v1/readiness';

/** Servers that are asked every second, and believed at once, either way. */
function checked(check: string, servers: readonly string[]): string {
  return `
    option httpchk GET ${check}
    http-check expect status 200
    default-server check inter 1s rise 1 fall 1
${servers.map((server, i) => `    server n${i} ${server}`).join('\n')}`;
}

function configuration(port: number, secure: Secure | null, setup: Setup, place: Place): string {
  const { coordinators, overlord, brokers } = place;
  const redirect = `    http-request redirect prefix http://${coordinators[0]} code 307 if coordinator`;
  return `
global
    nbthread 1
    maxconn 8192
    log stdout format raw local0
defaults
    mode http
    log global
    option httplog
    option http-keep-alive
    http-reuse always
    balance roundrobin
    timeout connect 2s
    timeout client 75s
    timeout server 15m
frontend bench
    bind 127.0.0.1:${port}
    ${secure === null ? '' : `bind 127.0.0.1:${secure.port} ssl crt ${secure.tls.both} ssl-min-ver TLSv1.3`}
    monitor-uri /status/health
    acl coordinator path_beg /druid/coordinator
    acl overlord path_beg /druid/indexer
${setup === 'redirect' ? redirect : ''}
    use_backend coordinator if coordinator
    use_backend overlord if overlord
    default_backend brokers
backend coordinator${checked(COORDINATOR_LEADS, coordinators)}
backend overlord${checked(OVERLORD_LEADS, [overlord])}
backend brokers${checked(BROKER_READY, brokers)}
`;
}

export const haproxy: Peer = {
  name: 'haproxy',
  about:
    'one thread, `http-reuse always`, every server checked each second, `option httplog` to its standard output, which is a file (a write for each line: it has no batches)',
  setups: ['relay', 'redirect', 'brokers1000', 'tls'],
  gateway: false,
  follows: true,
  warmUpSeconds: 2,
  async missing() {
    return (await outputOf('haproxy', '-v')) === null ? 'there is no haproxy' : null;
  },
  async version() {
    return /version ([\d.]+)/.exec((await outputOf('haproxy', '-v')) ?? '')?.[1] ?? 'unknown';
  },
  async start(setup, place) {
    const [port = 0, securePort = 0] = await freePorts(2);
    const secure = place.tls === undefined ? null : { port: securePort, tls: place.tls };
    const file = join(place.folder, 'haproxy.cfg');
    await writeFile(file, configuration(port, secure, setup, place));
    const process = await startPinned(place, 'haproxy', 'haproxy', ['-db', '-f', file]);
    const url = `http://127.0.0.1:${port}`;
    await waitFor('haproxy', () => answers200(`${url}/status/health`), {
      timeoutMs: 20_000,
      process,
      signal: place.signal,
    });
    return { url: secure === null ? url : `https://127.0.0.1:${securePort}`, process };
  },
};
