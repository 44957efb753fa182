import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Door } from '../kit/gateway/door.ts';
import { type RunningGateway, startGatewayWith } from '../kit/gateway/gateway-process.ts';
import { type Certificates, makeCertificates } from '../kit/net/certificates.ts';
import { type FakeUpstream, plain, type Script, startUpstream } from '../kit/upstream/fake-upstream.ts';
import { pause } from './client.ts';
import { ANSWER_HEADER } from './odd-answers.ts';

export interface RigOptions {
  readonly door: Door;
  readonly workers?: number;
  readonly tls?: boolean;
  /** What nodes say to all but probes. */
  readonly script: Script;
  /** `druid.service` of each Broker, in turn; without them all have the usual one. */
  readonly services?: readonly string[];
  /** What else the configuration file has, section by section. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Keys of the configuration in the form of its environment. */
  readonly keys?: Readonly<Record<string, string>>;
}

/** The built program by one door in front of scripted nodes, and what may not be left of a request when all is over. */
export interface Rig {
  readonly gateway: RunningGateway;
  /** Of the listener for clients. */
  readonly port: number;
  readonly adminPort: number;
  readonly coordinator: FakeUpstream;
  readonly overlord: FakeUpstream;
  readonly brokers: readonly FakeUpstream[];
  readonly nodes: readonly FakeUpstream[];
  /** What should not be: a process that ended or was replaced, an internal error, a warning of Node, bad health. */
  faults(): Promise<string[]>;
  /** What has not been given back; waits for it up to a limit. */
  leftovers(): Promise<string[]>;
  /** Bytes resident, of all processes together. */
  memory(): Promise<number>;
  close(): Promise<void>;
}

/** Short, so that what is left over is seen soon. */
const KEYS = {
  UPSTREAM__RESPONSE_TIMEOUT: '1s',
  UPSTREAM__IDLE_TIMEOUT: '1s',
  UPSTREAM__KEEP_ALIVE: '1s',
  QUERIES__TIMEOUT_SLACK: '100ms',
  PARKING__MAX_WAIT: '1s',
  LIMITS__QUEUE__MAX_WAIT: '1s',
  LIMITS__HEADERS_TIMEOUT: '2s',
  LIMITS__REQUEST_TIMEOUT: '3s',
  LIMITS__KEEP_ALIVE_TIMEOUT: '1s',
  LIMITS__SEND_TIMEOUT: '3s',
  HEALTH__SLOW_START: '0',
  HEALTH__OUTLIER__FAILURES: '0',
  SHUTDOWN__DRAIN: '1s',
};
/** Requests that the rig itself sends first have this header, and every node answers them. */
const WARM_UP = 'x-warm-up';
/**
 * Longer than anything that holds something. The longest is a client that said that its request is the last one, and left
 * behind the head of an answer, of which the node sends no more within the query's own time limit: it may be waiting
 * (docs/decisions/0021-half-closed-clients.md) until its system has forgotten the connection, after a minute, and resets
 * it at the next probe of TCP.
 */
const LEFTOVERS_MS = 90_000;
/** Timers and such of the gateway's own come and go. */
const FEW = 4;

/** Sent by no test: a request that reaches a node without this header is one of the gateway's own. */
const REQUEST_ID = 'x-request-id';

const PROBES: Readonly<Record<string, (origin: string) => string>> = {
  '/druid/broker/v1/readiness': () => '{}',
  '/status/ready': () => '{}',
  '/druid/coordinator/v1/isLeader': () => '{"leader":true}',
  '/druid/indexer/v1/isLeader': () => '{"leader":true}',
  '/druid/coordinator/v1/leader': (origin) => origin,
  '/druid/indexer/v1/leader': (origin) => origin,
  '/druid/coordinator/v1/rules': () => '{"_default":[{"type":"loadForever","tieredReplicants":{"hot":1}}]}',
};

let certificates: Promise<Certificates> | null = null;

export function testCertificates(): Promise<Certificates> {
  certificates ??= mkdtemp(join(tmpdir(), 'druid-gateway-hostile-tls-')).then(makeCertificates);
  return certificates;
}

export async function startRig(options: RigOptions): Promise<Rig> {
  const { door, workers = 1, tls = false, script, services = [], config = {}, keys = {} } = options;
  /** Connections that carry probes; the gateway may keep and open these as it likes. */
  const probing = new WeakSet<object>();
  /** What was last asked on a connection to a node. */
  const asked = new WeakMap<object, string>();
  const startNode = async (): Promise<FakeUpstream> => {
    const node = await startUpstream((request, socket) => {
      node.requests.length = Math.min(node.requests.length, 100);
      asked.set(socket, `${request.method} ${request.target} (answer ${request.header(ANSWER_HEADER)})`);
      const probe = PROBES[request.target];
      if (probe !== undefined && request.header(REQUEST_ID) === undefined) {
        probing.add(socket);
        socket.end(plain('200 OK', ['Connection: close'], probe(node.origin)));
      } else if (request.header(WARM_UP) !== undefined) {
        socket.end(plain('200 OK', ['Content-Type: application/json', 'Connection: close'], '{}'));
      } else {
        script(request, socket);
      }
    });
    return node;
  };
  const nodes = await Promise.all(Array.from({ length: 4 }, startNode));
  const [coordinator, overlord, ...brokers] = nodes as [FakeUpstream, FakeUpstream, ...FakeUpstream[]];
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-hostile-'));
  const file = join(folder, 'gateway.yaml');
  // JSON is YAML.
  await writeFile(
    file,
    JSON.stringify({
      discovery: { type: 'static' },
      static: {
        coordinators: [coordinator.origin],
        overlords: [overlord.origin],
        brokers: brokers.map(({ origin: url }, index) => {
          const service = services[index % services.length];
          return service === undefined ? url : { url, service };
        }),
      },
      ...config,
    }),
  );
  const { server } = tls ? await testCertificates() : { server: '' };
  const gateway = await startGatewayWith(
    {
      ...KEYS,
      DOORS__EXPRESS: String(door !== 'front'),
      DOORS__SHARED_READ_BUFFER: String(door === 'shared'),
      WORKERS: String(workers),
      // The name that the generated requests call it by.
      ADMIN__ALLOWED_HOSTS: 'a',
      ...(tls ? { LISTEN__TLS__CERT_FILE: server, LISTEN__TLS__KEY_FILE: server } : {}),
      ...keys,
    },
    '--config',
    file,
  );
  const port = Number(new URL(gateway.url).port);
  const adminPort = Number(new URL(gateway.admin).port);
  await gateway.until(
    (status) =>
      status.leaders.coordinator.state === 'serving' &&
      status.leaders.overlord.state === 'serving' &&
      status.brokers.filter(({ ready }) => ready).length === brokers.length &&
      (status.workers ?? []).every(({ state }) => state === 'serving'),
  );
  const places = { port, adminPort, nodePorts: new Set(nodes.map((node) => node.port)) };

  const workerPids = async (): Promise<number[]> =>
    (
      (JSON.parse((await ask(`${gateway.admin}/status`)).body) as { workers?: { pid: number | null }[] })
        .workers ?? []
    ).map(({ pid }) => pid ?? 0);
  const served = await workerPids();
  const pids = [gateway.pid, ...served];

  const handles = async (): Promise<Map<string, number>> => {
    const census = new Map<string, number>();
    for (const pid of pids) {
      for (const [what, count] of await descriptorsOf(pid, places)) census.set(`${what} of ${pid}`, count);
    }
    const { body } = await ask(`${gateway.admin}/metrics`);
    for (const [, labels = '', count] of body.matchAll(/^nodejs_active_resources\{(.*)\} (\d+)$/gm)) {
      // Whatever is under way this very moment is none that is held.
      if (!/Immediate|TickObject|FSReq|Promise|ReqWrap|CloseReq/.test(labels)) {
        census.set(`resources {${labels}}`, Number(count));
      }
    }
    return census;
  };
  /** By name, what is not zero of all that is counted. */
  const counts = async (): Promise<string[]> => {
    const { body } = await ask(`${gateway.admin}/metrics`);
    const named =
      /^(druid_gateway_(?:requests_in_flight|running_requests|parked_requests|queued_requests|upstream_outstanding)\S*) (.+)$/gm;
    const found = [...body.matchAll(named)];
    if (found.length < 10) return [`only ${found.length} counts are exposed`];
    if (workers > 1 && !body.includes(`\ndruid_gateway_workers ${workers}\n`))
      return ['a worker says nothing'];
    const status = JSON.parse((await ask(`${gateway.admin}/status`)).body) as {
      leaders: Record<string, { outstanding: number }>;
      brokers: { outstanding: number }[];
      workers?: { inFlight: number }[];
    };
    const shown = [
      ...[...Object.values(status.leaders), ...status.brokers].map(({ outstanding }) => outstanding),
      ...(status.workers ?? []).map(({ inFlight }) => inFlight),
    ];
    const open = nodes.flatMap((node) => [...node.sockets]).filter((socket) => !probing.has(socket));
    return [
      ...found.filter(([, , value]) => value !== '0').map(([, name, value]) => `${name} ${value}`),
      ...(shown.every((value) => value === 0) ? [] : [`/status says ${shown.join(' ')}`]),
      ...open.map((socket) => `a connection to a node, last for ${asked.get(socket)}`),
    ];
  };
  // The admin listener's are compared with those of before: the helper that started the gateway keeps one.
  const clientsOf = (census: Map<string, number>): string[] =>
    [...census]
      .filter(([what, count]) => what.startsWith('client connections') && count > 0)
      .map(([what, count]) => `${count} ${what}`);

  await warmUp(gateway.url);
  const before = new Map<string, number>();
  for (let quiet = 0; quiet < 4; ) {
    const census = await handles();
    const left = [...(await counts()), ...clientsOf(census)];
    quiet = left.length === 0 ? quiet + 1 : 0;
    if (quiet > 0) for (const [what, n] of census) before.set(what, Math.max(n, before.get(what) ?? 0));
    await pause(100);
  }

  return {
    gateway,
    port,
    adminPort,
    coordinator,
    overlord,
    brokers,
    nodes,
    async faults() {
      // What is about to end has ended then.
      await pause(100);
      const found = toldBy(gateway.log());
      for (const pid of pids) if (!lives(pid)) found.push(`process ${pid} has ended`);
      const now = await workerPids().catch(() => null);
      if (now === null) return [...found, 'the admin listener does not answer'];
      if (now.join() !== served.join()) found.push(`workers were ${served.join()}, now are ${now.join()}`);
      const health = await ask(`${gateway.url}/status/health`).catch(String);
      if (typeof health === 'string') found.push(`no /status/health: ${health}`);
      else if (health.status !== 200) found.push(`/status/health is ${health.status}`);
      const { body } = await ask(`${gateway.admin}/metrics`);
      for (const [line, value] of body.matchAll(/^druid_gateway_internal_errors_total\S* (.+)$/gm)) {
        if (value !== '0') found.push(line);
      }
      return found;
    },
    async leftovers() {
      const deadline = performance.now() + LEFTOVERS_MS;
      for (;;) {
        const left = await counts().catch((error) => [`no counts: ${error}`]);
        const census = await handles().catch(() => new Map<string, number>());
        if (!lives(gateway.pid)) return ['the process has ended'];
        left.push(...clientsOf(census));
        for (const [what, count] of census) {
          const most = before.get(what) ?? 0;
          if (count > most + (/^(?:admin|sockets)/.test(what) ? 0 : FEW))
            left.push(`${count} ${what}, before ${most}`);
        }
        if (left.length === 0 || performance.now() > deadline) return left;
        await pause(100);
      }
    },
    async memory() {
      const sizes = await Promise.all(pids.map(residentOf));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    async close() {
      await gateway.stop();
      await Promise.all(nodes.map((node) => node.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What is made when it is first needed, and kept, is there before anything is counted. */
async function warmUp(url: string): Promise<void> {
  const paths = [
    'GET /druid/v2/datasources',
    'POST /druid/v2/sql',
    'DELETE /druid/v2/x',
    'GET /druid/coordinator/v1/x',
    'GET /druid/indexer/v1/x',
    'GET /unified-console.html',
    'GET /status/properties',
  ];
  for (let round = 0; round < 2; round++) {
    await Promise.all(
      paths.map((line) => {
        const [method = '', path = ''] = line.split(' ');
        return ask(url + path, { method, headers: { [WARM_UP]: '1' } });
      }),
    );
  }
}

/** One request on a connection of its own. */
export function ask(
  url: string,
  {
    method = 'GET',
    headers = {},
    body = '',
  }: { method?: string; headers?: object; body?: string | Buffer } = {},
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const { request } = url.startsWith('https:') ? https : http;
    request(
      url,
      {
        method,
        agent: false,
        timeout: 30_000,
        rejectUnauthorized: false,
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (data: string) => {
          text += data;
        });
        answer.once('error', reject);
        answer.once('end', () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }),
        );
      },
    )
      .once('timeout', function (this: http.ClientRequest) {
        this.destroy(new Error(`no answer to ${method} ${url} within 30 s`));
      })
      .once('error', reject)
      .end(body);
  });
}

export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** What a log says that is nobody's fault but the gateway's, each once. */
function toldBy(log: string): string[] {
  const found = new Set<string>();
  for (const line of log.split('\n')) {
    if (/^\(node:\d+\) .*Warning/.test(line)) found.add(line.replace(/^\(node:\d+\) /, ''));
    else if (/^\s*(?:Uncaught |\w*Error: )/.test(line)) found.add(line);
    if (!line.startsWith('{') || !/"level":"(?:fatal|error)"/.test(line)) continue;
    const { msg, level, place = '', error, err, stack } = JSON.parse(line) as Record<string, unknown>;
    const trace = String(stack ?? (err as { stack?: string } | undefined)?.stack ?? error ?? line);
    found.add(`${level} ${place} ${msg}: ${trace.slice(0, 1_500)}`);
  }
  return [...found].slice(0, 20);
}

/** The system knows no such connection any more, yet the process holds it. Pipes to other processes are among them. */
const RESET = 'sockets without a connection';

interface Places {
  readonly port: number;
  readonly adminPort: number;
  readonly nodePorts: ReadonlySet<number>;
}

/** How many descriptors a process has, and of connections to whom. */
async function descriptorsOf(pid: number, places: Places): Promise<Map<string, number>> {
  const folder = `/proc/${pid}/fd`;
  const names = await readdir(folder).catch(() => []);
  const links = await Promise.all(names.map((name) => readlink(join(folder, name)).catch(() => '')));
  const byInode = new Map<string, { local: number; remote: number }>();
  for (const line of (await readFile('/proc/net/tcp', 'utf8').catch(() => '')).split('\n')) {
    const [, local = '', remote = '', , , , , , , inode = ''] = line.trim().split(/\s+/);
    const portOf = (address: string): number => Number.parseInt(address.split(':')[1] ?? '0', 16);
    byInode.set(inode, { local: portOf(local), remote: portOf(remote) });
  }
  const counts = new Map([
    ['client connections', 0],
    ['admin connections', 0],
    [RESET, 0],
    ['descriptors', links.filter((link) => link !== '').length],
  ]);
  for (const link of links) {
    const [, inode = ''] = /^socket:\[(\d+)\]$/.exec(link) ?? [];
    const socket = byInode.get(inode);
    if (inode !== '' && socket === undefined) counts.set(RESET, (counts.get(RESET) ?? 0) + 1);
    // What listens has no other end.
    if (socket === undefined || socket.remote === 0) continue;
    const what = socket.local === places.port ? 'client connections' : 'admin connections';
    if (what === 'client connections' || socket.local === places.adminPort) {
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
  }
  return counts;
}

async function residentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
