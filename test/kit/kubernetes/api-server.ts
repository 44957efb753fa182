import { createSign, generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { type ManagedProcess, startProcess } from '../../../tools/druid-cluster/managed-process.ts';
import { freePorts } from '../../../tools/druid-cluster/ports.ts';
import { answers200, waitFor } from '../../../tools/druid-cluster/wait.ts';
import { makeCertificates } from '../net/certificates.ts';
import type { ApiWriter } from './druid-pods.ts';
import type { ApiObject, Kind } from './fake-api-server.ts';

/** An answer of the API, whose body is the JSON object that it mostly is. */
export interface ApiAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into it
  readonly body: any;
}

/** A service account, and a role's rules that it has in its namespace. */
export interface Account {
  readonly namespace: string;
  readonly name: string;
}

const ISSUER = 'https://kubernetes.test';
const ADMIN = 'admin-token';
/** What the API's own parts need before they say that they are ready, in ms, on a machine with other work. */
const READY_MS = 120_000;

/** A real kube-apiserver on loopback, with its etcd. It asks for tokens, and for rights by RBAC, as clusters do. */
export class ApiServer implements ApiWriter {
  readonly port: number;
  readonly caFile: string;
  readonly #programs: string;
  readonly #folder: string;
  readonly #etcdPort: number;
  readonly #etcdPeerPort: number;
  readonly #agent: Agent;
  readonly #signer: string;
  #etcdFolders = 0;
  #etcd: ManagedProcess | null = null;
  #api: ManagedProcess | null = null;

  private constructor(
    programs: string,
    folder: string,
    ports: readonly number[],
    ca: string,
    caFile: string,
    signer: string,
  ) {
    const [port = 0, etcdPort = 0, etcdPeerPort = 0] = ports;
    this.#programs = programs;
    this.#folder = folder;
    this.port = port;
    this.#etcdPort = etcdPort;
    this.#etcdPeerPort = etcdPeerPort;
    this.caFile = caFile;
    this.#agent = new Agent({ connect: { ca }, connections: 50 });
    this.#signer = signer;
  }

  /** Resolves once it is ready. `programs` has `kube-apiserver` and `etcd`. The caller closes it. */
  static async start(programs: string): Promise<ApiServer> {
    const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-api-server-'));
    const pems = await makeCertificates(folder);
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const signer = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    await writeFile(join(folder, 'accounts.key'), signer);
    await writeFile(join(folder, 'accounts.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    await writeFile(join(folder, 'tokens.csv'), `${ADMIN},admin,admin,system:masters\n`);
    const ca = await readFile(pems.ca, 'utf8');
    const server = new ApiServer(programs, folder, await freePorts(3), ca, pems.ca, signer);
    try {
      await server.#startEtcd();
      await server.up();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** Starts the API server, on the same port as before. */
  async up(): Promise<void> {
    const at = (name: string): string => join(this.#folder, name);
    this.#api = await startProcess({
      name: 'kube-apiserver',
      command: join(this.#programs, 'kube-apiserver'),
      args: [
        `--etcd-servers=http://127.0.0.1:${this.#etcdPort}`,
        '--bind-address=127.0.0.1',
        `--secure-port=${this.port}`,
        `--tls-cert-file=${at('server.pem')}`,
        `--tls-private-key-file=${at('server.key')}`,
        `--token-auth-file=${at('tokens.csv')}`,
        '--authorization-mode=RBAC',
        // Nothing here runs pods, so their accounts and addresses need not be there.
        '--disable-admission-plugins=ServiceAccount',
        '--endpoint-reconciler-type=none',
        '--service-cluster-ip-range=10.96.0.0/24',
        `--service-account-issuer=${ISSUER}`,
        `--service-account-signing-key-file=${at('accounts.key')}`,
        `--service-account-key-file=${at('accounts.pub')}`,
        // A test says when.
        '--etcd-compaction-interval=0',
        '--profiling=false',
      ],
      cwd: this.#folder,
      logFile: at('kube-apiserver.log'),
    });
    await waitFor('the API server', () => this.#isReady(), {
      timeoutMs: READY_MS,
      intervalMs: 100,
      process: this.#api,
    });
  }

  /** Ends the API server at once, without a word to those who watch. */
  async down(): Promise<void> {
    this.#api?.kill('SIGKILL');
    await this.#api?.ended;
    this.#api = null;
  }

  /** The API server comes back with an etcd in which nothing is, whose versions begin anew. */
  async lose(): Promise<void> {
    await this.down();
    await this.#stopEtcd();
    await this.#startEtcd();
    await this.up();
  }

  /** Has etcd forget all versions but the present one, as the API server does every five minutes. */
  async compact(): Promise<void> {
    const ask = async (path: string, body: object): Promise<ApiAnswer['body']> => {
      const answer = await fetch(`http://127.0.0.1:${this.#etcdPort}${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      return answer.json();
    };
    const { header } = await ask('/v3/kv/range', { key: Buffer.from('/').toString('base64') });
    await ask('/v3/kv/compaction', { revision: header.revision, physical: true });
  }

  /** Asks as the administrator, or with another token. */
  async ask(method: string, path: string, body?: object, token = ADMIN): Promise<ApiAnswer> {
    const patch = Array.isArray(body) ? 'json-patch' : 'merge-patch';
    const answer = await request(this.url + path, {
      dispatcher: this.#agent,
      method: method as 'GET',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined
          ? {}
          : { 'content-type': method === 'PATCH' ? `application/${patch}+json` : 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, body: text.startsWith('{') ? JSON.parse(text) : text };
  }

  /** Does what must succeed. */
  async must(method: string, path: string, body?: object): Promise<ApiAnswer['body']> {
    const answer = await this.ask(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer.body;
  }

  async makeNamespace(name: string): Promise<void> {
    await this.must('POST', '/api/v1/namespaces', { metadata: { name } });
  }

  /** Creates it, or has it be as it is given, status included. */
  async put(kind: Kind, namespace: string, object: ApiObject): Promise<void> {
    const { metadata, status } = object;
    const list = `/api/v1/namespaces/${namespace}/${kind}`;
    const path = `${list}/${metadata.name}`;
    const made = await this.ask('POST', list, {
      ...object,
      ...(kind === 'pods' && object.spec === undefined
        ? { spec: { containers: [{ name: 'c0', image: 'druid' }] } }
        : {}),
    });
    if (made.status === 409) {
      // As Druid does it (`DefaultK8sApiClient.patchPod`); adding what is there replaces it.
      await this.must('PATCH', path, [
        { op: 'add', path: '/metadata/labels', value: metadata.labels ?? {} },
        { op: 'add', path: '/metadata/annotations', value: metadata.annotations ?? {} },
      ]);
    } else if (made.status !== 201) throw new Error(`POST ${list}: ${JSON.stringify(made)}`);
    if (status !== undefined) await this.must('PATCH', `${path}/status`, { status: wholeStatus(status) });
  }

  async remove(kind: Kind, namespace: string, name: string): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/${kind}/${name}`;
    const { status, body } = await this.ask('DELETE', path, { gracePeriodSeconds: 0 });
    if (status !== 200 && status !== 404) throw new Error(`DELETE ${path}: ${JSON.stringify(body)}`);
  }

  /** Makes a service account that may do nothing yet. */
  async makeAccount({ namespace, name }: Account): Promise<void> {
    await this.must('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  }

  /** A token as a pod gets it: for an hour, and for this API. */
  async tokenOf({ namespace, name }: Account): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
    const made = await this.must('POST', path, { spec: { expirationSeconds: 3_600 } });
    return made.status.token;
  }

  /** A token that ends after so many seconds, or has ended. The API accepts none that it would not give to anybody. */
  async tokenUntil({ namespace, name }: Account, seconds: number): Promise<string> {
    const account = await this.must('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`);
    const now = Math.floor(Date.now() / 1_000);
    const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = encoded({
      iss: ISSUER,
      aud: [ISSUER],
      sub: `system:serviceaccount:${namespace}:${name}`,
      iat: now - 3_600,
      nbf: now - 3_600,
      exp: now + seconds,
      'kubernetes.io': { namespace, serviceaccount: { name, uid: account.metadata.uid } },
    });
    const signed = `${encoded({ alg: 'RS256' })}.${claims}`;
    const signature = createSign('RSA-SHA256').update(signed).sign(this.#signer).toString('base64url');
    return `${signed}.${signature}`;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
    await this.down();
    await this.#stopEtcd();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await this.ask('GET', '/readyz')).status === 200;
    } catch {
      return false;
    }
  }

  async #startEtcd(): Promise<void> {
    const data = join(this.#folder, `etcd-${this.#etcdFolders++}`);
    await mkdir(data);
    const [client, peer] = [this.#etcdPort, this.#etcdPeerPort].map((port) => `http://127.0.0.1:${port}`);
    this.#etcd = await startProcess({
      name: 'etcd',
      command: join(this.#programs, 'etcd'),
      args: [
        `--data-dir=${data}`,
        `--listen-client-urls=${client}`,
        `--advertise-client-urls=${client}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=default=${peer}`,
        // Nothing of it has to outlive the machine.
        '--unsafe-no-fsync',
      ],
      cwd: this.#folder,
      logFile: join(this.#folder, 'etcd.log'),
    });
    await waitFor('etcd', () => answers200(`${client}/health`), {
      timeoutMs: READY_MS,
      intervalMs: 50,
      process: this.#etcd,
    });
  }

  async #stopEtcd(): Promise<void> {
    this.#etcd?.kill('SIGKILL');
    await this.#etcd?.ended;
    this.#etcd = null;
  }
}

/** What the API wants besides, and all addresses of a pod. */
function wholeStatus(status: unknown): object {
  const {
    containerStatuses = [],
    podIP,
    ...rest
  } = status as {
    readonly containerStatuses?: readonly object[];
    readonly podIP?: string;
  };
  return {
    ...rest,
    ...(podIP === undefined ? {} : { podIP, podIPs: [{ ip: podIP }] }),
    containerStatuses: containerStatuses.map((one) => ({ image: 'druid', imageID: '', ...one })),
  };
}
