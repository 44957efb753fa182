import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { LoopbackServer } from '../net/loopback-server.ts';

/** What a request asked for. */
export interface AskedConsul {
  /** As it came, with its query. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
}

interface Service {
  readonly id: string;
  readonly name: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly passing: boolean;
}

interface Key {
  readonly value: string;
  readonly session: string | null;
  readonly created: number;
  readonly modified: number;
}

/** What a token may read. */
export type ConsulRight = 'services' | 'keys';

interface Held {
  readonly asked: AskedConsul;
  readonly index: number;
  readonly response: ServerResponse;
  readonly timer: NodeJS.Timeout;
}

/**
 * A Consul agent in this process, as far as health of services and keys go. It does what the real one was seen to do
 * (`test/kit/discovery/consul-suite.ts` holds both to it): one index for all changes, answers that are held until a later one, 404
 * with an index for a key that is not there, keys that are made anew by each session that acquires them, plain text for keys that are
 * refused, and services that are kept back without a word but for a header.
 */
export class FakeConsul {
  readonly requests: AskedConsul[] = [];
  /** The tokens that it knows, with what they may read; null for no access control. */
  tokens: Map<string, readonly ConsulRight[]> | null = null;
  /** Requests are accepted and never answered. */
  frozen = false;
  /** Consul's servers have no leader. */
  leaderless = false;
  /** Answers a request instead; false leaves it to the agent. */
  script: ((asked: AskedConsul, response: ServerResponse) => boolean) | null = null;
  readonly #server = new LoopbackServer(createServer((request, response) => this.#serve(request, response)));
  readonly #services = new Map<string, Service>();
  readonly #keys = new Map<string, Key>();
  /** The index of the last change of each service name and key. */
  readonly #indexes = new Map<string, number>();
  readonly #held = new Set<Held>();
  /** The index of the last change of any key. */
  #keysIndex = 1;
  #index = 10;
  #sessions = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  get openSockets(): number {
    return this.#server.openSockets;
  }

  /** Requests that wait for a change. */
  get waiting(): number {
    return this.#held.size;
  }

  /** Listens, on the same port as before. */
  up(): Promise<void> {
    return this.#server.up();
  }

  down(): Promise<void> {
    return this.#server.down();
  }

  /** Ends all connections. */
  cut(): void {
    this.#server.cut();
  }

  /** Everything is as before, with lower indexes, as after Consul was restored. What is held ends with the former ones. */
  rewind(): void {
    for (const held of [...this.#held]) this.#answer(held);
    this.#index = 1;
    this.#keysIndex = 1;
    for (const name of this.#indexes.keys()) this.#indexes.set(name, 1);
  }

  /** It knows nothing any more, and its indexes begin anew, as after its start. */
  lose(): void {
    this.#services.clear();
    this.#keys.clear();
    this.#indexes.clear();
    this.#index = 1;
    this.#keysIndex = 1;
    this.cut();
  }

  register(name: string, id: string, meta: Readonly<Record<string, string>>, passing = true): void {
    this.#services.set(id, { id, name, meta, passing });
    this.#changed(`service ${name}`);
  }

  deregister(id: string): void {
    const service = this.#services.get(id);
    if (service === undefined) return;
    this.#services.delete(id);
    this.#changed(`service ${service.name}`);
  }

  putKey(key: string, value: string): void {
    const index = this.#index + 1;
    const { created = index, session = null } = this.#keys.get(key) ?? {};
    this.#keys.set(key, { value, session, created, modified: index });
    this.#changed(`key ${key}`);
  }

  async openSession(name: string): Promise<string> {
    return `session-${++this.#sessions}-${name}`;
  }

  /** Whether the session has the key now: one that another session has is not given to it. */
  async lock(key: string, value: string, session: string): Promise<boolean> {
    const before = this.#keys.get(key);
    if (before?.session === session && before.value === value) return true;
    if (before !== undefined && before.session !== null && before.session !== session) return false;
    const index = this.#index + 1;
    this.#keys.set(key, { value, session, created: before?.created ?? index, modified: index });
    this.#changed(`key ${key}`);
    return true;
  }

  /** Its keys go with it (behaviour `delete`). */
  async endSession(session: string): Promise<void> {
    for (const [key, { session: holder }] of this.#keys) if (holder === session) this.deleteKey(key);
  }

  /** A session of its own takes the key, which is made anew: what held it before has gone with its session. */
  acquire(key: string, value: string): void {
    this.deleteKey(key);
    const index = this.#index + 1;
    this.#keys.set(key, { value, session: `session-${++this.#sessions}`, created: index, modified: index });
    this.#changed(`key ${key}`);
  }

  deleteKey(key: string): void {
    if (this.#keys.delete(key)) this.#changed(`key ${key}`);
  }

  async close(): Promise<void> {
    await this.down();
  }

  #changed(name: string): void {
    this.#indexes.set(name, ++this.#index);
    if (name.startsWith('key ')) this.#keysIndex = this.#index;
    for (const held of [...this.#held]) if (nameOf(held.asked.path) === name) this.#answer(held);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://consul');
    const target = request.url ?? '';
    const { authorization } = request.headers;
    const asked: AskedConsul = { target, path: pathname, query, authorization };
    this.requests.push(asked);
    if (this.frozen || this.script?.(asked, response) === true) return;
    // Go's router sends such a path to the one that it means.
    if (/\/\.{1,2}(\/|$|\?)/.test(target)) {
      response.writeHead(301, { location: pathname }).end();
      return;
    }
    const rights = this.#rightsOf(asked);
    const key = /^\/v1\/kv\/(.+)$/.exec(pathname)?.[1];
    if (rights === null) {
      response.writeHead(403).end('ACL not found');
      return;
    }
    if (key !== undefined && !rights.includes('keys')) {
      const who = "token with AccessorID '0f6d5a3c-0000-4000-8000-000000000001'";
      const what = `lacks permission 'key:read' on "${decodeURIComponent(key)}"`;
      response.writeHead(403).end(`Permission denied: ${who} ${what}`);
      return;
    }
    if (this.leaderless) {
      response.writeHead(500).end('No cluster leader');
      return;
    }
    const index = Number(query.get('index') ?? 0);
    const held: Held = {
      asked,
      index,
      response,
      timer: setTimeout(() => this.#answer(held), waitOf(query)).unref(),
    };
    response.on('close', () => this.#let(held));
    this.#held.add(held);
    // One that is ahead of us is held as well.
    if (index === 0 || this.#indexOf(pathname) > index) this.#answer(held);
  }

  /** Null for a token that nobody has made; without one, nothing may be read. */
  #rightsOf({ authorization }: AskedConsul): readonly ConsulRight[] | null {
    if (this.tokens === null) return ['services', 'keys'];
    if (authorization === undefined) return [];
    return this.tokens.get(authorization.replace('Bearer ', '')) ?? null;
  }

  #let(held: Held): void {
    clearTimeout(held.timer);
    this.#held.delete(held);
  }

  #indexOf(path: string): number {
    const name = nameOf(path);
    const isMissing = name.startsWith('key ') && !this.#keys.has(name.slice('key '.length));
    return isMissing ? this.#keysIndex : (this.#indexes.get(name) ?? 1);
  }

  #answer(held: Held): void {
    this.#let(held);
    const { asked, response } = held;
    const headers = {
      'content-type': 'application/json',
      'x-consul-index': String(this.#indexOf(asked.path)),
      'x-consul-knownleader': 'true',
      'x-consul-lastcontact': '0',
    };
    const [, service] = /^\/v1\/health\/service\/(.+)$/.exec(asked.path) ?? [];
    if (service !== undefined) {
      const found = [...this.#services.values()].filter(
        ({ name, passing }) => name === decodeURIComponent(service) && passing,
      );
      const isKept = this.#rightsOf(asked)?.includes('services') === false;
      // Who has no token is not told that something is kept back.
      const isTold = isKept && found.length > 0 && asked.authorization !== undefined;
      const kept = isTold ? { 'x-consul-results-filtered-by-acls': 'true' } : {};
      response.writeHead(200, { ...headers, ...kept });
      response.end(JSON.stringify(isKept ? [] : found.map(described)));
      return;
    }
    const name = decodeURIComponent(asked.path.replace('/v1/kv/', ''));
    const key = this.#keys.get(name);
    if (key === undefined) {
      response.writeHead(404, headers).end();
      return;
    }
    const body = asked.query.has('raw') ? key.value : JSON.stringify([entryOf(name, key)]);
    response.writeHead(200, headers).end(body);
  }
}

/** Starts an agent that knows nothing. The caller closes it. */
export async function startFakeConsul(): Promise<FakeConsul> {
  const consul = new FakeConsul();
  await consul.up();
  return consul;
}

function nameOf(path: string): string {
  const plain = decodeURIComponent(path);
  return plain.replace('/v1/health/service/', 'service ').replace('/v1/kv/', 'key ');
}

function waitOf(query: URLSearchParams): number {
  const [, seconds = '300'] = /^(\d+)s$/.exec(query.get('wait') ?? '') ?? [];
  return Number(seconds) * 1_000;
}

function described({ id, name, meta }: Service): object {
  return {
    Node: { Node: 'n1', Address: '127.0.0.1', Datacenter: 'dc1' },
    Service: { ID: id, Service: name, Tags: ['druid'], Address: '', Meta: meta, Port: 0 },
    Checks: [{ CheckID: `service:${id}`, Status: 'passing' }],
  };
}

function entryOf(name: string, { value, session, created, modified }: Key): object {
  return {
    LockIndex: session === null ? 0 : 1,
    Key: name,
    Flags: 0,
    Value: Buffer.from(value).toString('base64'),
    ...(session === null ? {} : { Session: session }),
    CreateIndex: created,
    ModifyIndex: modified,
  };
}
