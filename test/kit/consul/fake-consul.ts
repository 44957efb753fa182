import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What a request asked for. */
export interface AskedConsul {
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

interface Held {
  readonly asked: AskedConsul;
  readonly index: number;
  readonly response: ServerResponse;
  readonly timer: NodeJS.Timeout;
}

/**
 * A Consul agent in this process, as far as health of services and keys go. It does what the real one was seen to do: one
 * index for all changes, answers that are held until one, 404 with an index for a key that is not there, keys that are made
 * anew by each session that acquires them, and plain text for what is refused.
 */
export class FakeConsul {
  readonly requests: AskedConsul[] = [];
  /** The token that requests must have; null for none. */
  token: string | null = null;
  /** Requests are accepted and never answered. */
  frozen = false;
  /** Consul's servers have no leader. */
  leaderless = false;
  /** Answers a request instead; false leaves it to the agent. */
  script: ((asked: AskedConsul, response: ServerResponse) => boolean) | null = null;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #services = new Map<string, Service>();
  readonly #keys = new Map<string, Key>();
  /** The index of the last change of each service name and key. */
  readonly #indexes = new Map<string, number>();
  readonly #held = new Set<Held>();
  #index = 10;
  #sessions = 0;
  #port = 0;

  constructor() {
    this.#server = createServer((request, response) => this.#serve(request, response));
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  /** Requests that wait for a change. */
  get waiting(): number {
    return this.#held.size;
  }

  /** Listens, on the same port as before. */
  async up(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async down(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Everything is as before, with lower indexes, as after Consul was restored. */
  rewind(): void {
    this.#index = 1;
    for (const name of this.#indexes.keys()) this.#indexes.set(name, 1);
    for (const held of [...this.#held]) this.#answer(held);
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
    const created = this.#keys.get(key)?.created ?? index;
    this.#keys.set(key, { value, session: null, created, modified: index });
    this.#changed(`key ${key}`);
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
    for (const held of [...this.#held]) if (nameOf(held.asked.path) === name) this.#answer(held);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://consul');
    const asked: AskedConsul = { path: pathname, query, authorization: request.headers.authorization };
    this.requests.push(asked);
    if (this.frozen || this.script?.(asked, response) === true) return;
    if (this.token !== null && asked.authorization !== `Bearer ${this.token}`) {
      response.writeHead(403).end('Permission denied: token with AccessorID lacks permission');
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
    if (index === 0 || this.#indexOf(pathname) !== index) this.#answer(held);
  }

  #let(held: Held): void {
    clearTimeout(held.timer);
    this.#held.delete(held);
  }

  #indexOf(path: string): number {
    return this.#indexes.get(nameOf(path)) ?? 1;
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
      response.writeHead(200, headers).end(JSON.stringify(found.map(described)));
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
