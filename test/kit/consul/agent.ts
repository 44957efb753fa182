import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { type ManagedProcess, startProcess } from '../../../tools/druid-cluster/managed-process.ts';
import { freePorts } from '../../../tools/druid-cluster/ports.ts';
import { waitFor } from '../../../tools/druid-cluster/wait.ts';

/** An answer of Consul, parsed where it is JSON. */
export interface ConsulAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into it
  readonly body: any;
}

const ADMIN = '00000000-0000-4000-8000-00000000ad01';
const READY_MS = 60_000;

/** A real Consul agent on loopback, its own only server, which refuses what no token allows. It keeps everything in memory. */
export class ConsulAgent {
  readonly port: number;
  readonly #program: string;
  readonly #folder: string;
  readonly #agent = new Agent({ connections: 50 });
  /** Services whose checks fail. */
  readonly #failing = new Set<string>();
  #process: ManagedProcess | null = null;

  private constructor(program: string, folder: string, port: number) {
    this.#program = program;
    this.#folder = folder;
    this.port = port;
  }

  /** Resolves once it has a leader. The caller closes it. */
  static async start(programs: string): Promise<ConsulAgent> {
    const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-consul-agent-'));
    const [http = 0, serf = 0, wan = 0, server = 0] = await freePorts(4);
    await writeFile(
      join(folder, 'agent.json'),
      JSON.stringify({
        bind_addr: '127.0.0.1',
        datacenter: 'dc1',
        ports: { http, serf_lan: serf, serf_wan: wan, server, dns: -1, grpc: -1, grpc_tls: -1 },
        acl: { enabled: true, default_policy: 'deny', tokens: { initial_management: ADMIN, agent: ADMIN } },
        disable_update_check: true,
      }),
    );
    const agent = new ConsulAgent(join(programs, 'consul'), folder, http);
    try {
      await agent.up();
    } catch (error) {
      await agent.close();
      throw error;
    }
    return agent;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it on the same port as before; it knows nothing any more. */
  async up(): Promise<void> {
    this.#process = await startProcess({
      name: 'consul',
      command: this.#program,
      args: ['agent', '-dev', `-config-file=${join(this.#folder, 'agent.json')}`],
      cwd: this.#folder,
      logFile: join(this.#folder, 'consul.log'),
    });
    await waitFor('Consul', () => this.#isReady(), {
      timeoutMs: READY_MS,
      intervalMs: 50,
      process: this.#process,
    });
  }

  /** Ends it at once. */
  async down(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#process?.ended;
    this.#process = null;
  }

  /** Asks with the token that may do everything, or with another one; null is none. */
  async ask(
    method: string,
    path: string,
    body?: object | string,
    token: string | null = ADMIN,
  ): Promise<ConsulAnswer> {
    const answer = await request(this.url + path, {
      dispatcher: this.#agent,
      method: method as 'GET',
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    const isJson = String(answer.headers['content-type']).includes('json') && text !== '';
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: isJson ? JSON.parse(text) : text,
    };
  }

  /** Does what must succeed. */
  async must(method: string, path: string, body?: object | string): Promise<ConsulAnswer['body']> {
    const answer = await this.ask(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return answer.body;
  }

  /** A service as Druid registers it: with a check that passes for a time (`ConsulDruidNodeAnnouncer`). */
  async register(
    name: string,
    id: string,
    meta: Readonly<Record<string, string>>,
    passing = true,
  ): Promise<void> {
    await this.must('PUT', '/v1/agent/service/register', {
      Name: name,
      ID: id,
      Tags: ['druid'],
      Meta: meta,
      Check: { CheckID: `service:${id}`, TTL: '600s', Status: passing ? 'passing' : 'critical' },
    });
    // A check that is there already keeps its state.
    if (passing && !this.#failing.delete(id)) return;
    if (!passing) this.#failing.add(id);
    await this.must('PUT', `/v1/agent/check/${passing ? 'pass' : 'fail'}/service:${encodeURIComponent(id)}`);
  }

  async deregister(id: string): Promise<void> {
    await this.must('PUT', `/v1/agent/service/deregister/${encodeURIComponent(id)}`);
  }

  async putKey(key: string, value: string): Promise<void> {
    await this.must('PUT', `/v1/kv/${key}`, value);
  }

  async deleteKey(key: string): Promise<void> {
    await this.must('DELETE', `/v1/kv/${key}`);
  }

  /** A session whose keys go with it (`ConsulLeaderSelector`). The lock of the next one is not delayed unless it is said. */
  async openSession(name: string, { ttl = '86400s', lockDelay = '0s' } = {}): Promise<string> {
    const session = { Name: name, TTL: ttl, Behavior: 'delete', LockDelay: lockDelay };
    return (await this.must('PUT', '/v1/session/create', session)).ID;
  }

  /** Whether it has the key now. */
  async lock(key: string, value: string, session: string): Promise<boolean> {
    return this.must('PUT', `/v1/kv/${key}?acquire=${session}`, value);
  }

  async endSession(session: string): Promise<void> {
    await this.must('PUT', `/v1/session/destroy/${session}`);
  }

  /** All that it knows, access control included. */
  async snapshot(): Promise<Buffer> {
    const { body } = await request(`${this.url}/v1/snapshot`, {
      dispatcher: this.#agent,
      headers: { authorization: `Bearer ${ADMIN}` },
    });
    return Buffer.from(await body.arrayBuffer());
  }

  /** Has it know what it knew, without an end of its connections. */
  async restore(snapshot: Buffer): Promise<void> {
    const { statusCode, body } = await request(`${this.url}/v1/snapshot`, {
      dispatcher: this.#agent,
      method: 'PUT',
      headers: { authorization: `Bearer ${ADMIN}` },
      body: snapshot,
    });
    if (statusCode !== 200) throw new Error(`restore: ${statusCode} ${await body.text()}`);
    await body.dump();
  }

  /** A token with these rights, in Consul's own language of rules. */
  async tokenWith(rules: string): Promise<string> {
    const name = `rules-${Date.now()}-${Math.floor(Math.random() * 1e9)}`;
    await this.must('PUT', '/v1/acl/policy', { Name: name, Rules: rules });
    return (await this.must('PUT', '/v1/acl/token', { Policies: [{ Name: name }] })).SecretID;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
    await this.down();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #isReady(): Promise<boolean> {
    try {
      // Writing needs a leader, and that the first token is there.
      const { status } = await this.ask('PUT', '/v1/kv/ready', '');
      return status === 200;
    } catch {
      return false;
    }
  }
}
