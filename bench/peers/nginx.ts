import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../../tools/druid-cluster/ports.ts';
import { answers200, waitFor } from '../../tools/druid-cluster/wait.ts';
import { outputOf, type Peer, type Place, type Secure, type Setup, startPinned } from './peer.ts';

const LARGE_BUFFERS = `
    proxy_buffer_size 1m;
    proxy_buffers 8 1m;
    proxy_busy_buffers_size 2m;
    client_body_buffer_size 1m;`;

/**
 * One worker; bodies are passed on as they come and nothing is put into temporary files, which would be slower. With
 * as many idle connections as a gateway may keep.
 */
function configuration(
  port: number,
  secure: Secure | null,
  setup: Setup,
  place: Place,
  buffers: string,
): string {
  const { folder, overlord, brokers } = place;
  const [coordinator] = place.coordinators;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const relay = (upstream: string): string => `proxy_pass http://${upstream};`;
  const redirected = `return 307 http://${coordinator}$request_uri;`;
  return `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log stderr warn;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
    access_log ${join(folder, 'access.log')} combined buffer=64k flush=1s;
${temporary.map((kind) => `    ${kind}_temp_path ${join(folder, kind)};`).join('\n')}
    keepalive_requests 100000000;
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;${buffers}
    upstream coordinator { server ${coordinator}; keepalive 128; keepalive_requests 100000000; }
    upstream overlord { server ${overlord}; keepalive 128; keepalive_requests 100000000; }
    upstream brokers {
${brokers.map((broker) => `        server ${broker};`).join('\n')}
        keepalive ${Math.max(128, brokers.length)};
        keepalive_requests 100000000;
    }
    server {
        listen 127.0.0.1:${port};
${secure === null ? '' : https(secure)}
        location = /status/health { return 200 "true"; }
        location /druid/coordinator { ${setup === 'redirect' ? redirected : relay('coordinator')} }
        location /druid/indexer { ${relay('overlord')} }
        location /druid/v2 { ${relay('brokers')} }
    }
}
`;
}

function https({ port, tls: { cert, key } }: Secure): string {
  return `
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${cert};
        ssl_certificate_key ${key};
        ssl_protocols TLSv1.3;`;
}

function createNginx(peer: Pick<Peer, 'name' | 'about' | 'setups' | 'workloads'>, buffers: string): Peer {
  return {
    ...peer,
    gateway: false,
    follows: false,
    warmUpSeconds: 2,
    async missing() {
      return (await outputOf('nginx', '-v')) === null ? 'there is no nginx' : null;
    },
    async version() {
      return /nginx\/(\S+)/.exec((await outputOf('nginx', '-v')) ?? '')?.[1] ?? 'unknown';
    },
    async start(setup, place) {
      const [port = 0, securePort = 0] = await freePorts(2);
      const secure = place.tls === undefined ? null : { port: securePort, tls: place.tls };
      const file = join(place.folder, 'nginx.conf');
      await writeFile(file, configuration(port, secure, setup, place, buffers));
      const args = ['-e', 'stderr', '-p', place.folder, '-c', file];
      const process = await startPinned(place, peer.name, 'nginx', args);
      const url = `http://127.0.0.1:${port}`;
      await waitFor(peer.name, () => answers200(`${url}/status/health`), {
        timeoutMs: 20_000,
        process,
        signal: place.signal,
      });
      return { url: secure === null ? url : `https://127.0.0.1:${securePort}`, process };
    },
  };
}

export const nginx = createNginx(
  {
    name: 'nginx',
    about:
      'one worker, its default buffers, upstream keep-alive, access log written in batches of 64 KB, no temporary files',
    setups: ['relay', 'redirect', 'brokers1000', 'tls'],
  },
  '',
);

export const nginxLarge = createNginx(
  {
    name: 'nginx-large',
    about: 'the same with 1 MB buffers either way',
    setups: ['relay'],
    workloads: ['big', 'upload'],
  },
  LARGE_BUFFERS,
);
