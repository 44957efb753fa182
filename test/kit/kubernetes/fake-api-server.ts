import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export type Kind = 'pods' | 'configmaps';

export interface ApiObject {
  readonly metadata: {
    readonly name: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export interface FakeApiOptions {
  readonly tls?: {
    readonly cert: string | Buffer;
    readonly key: string | Buffer;
    /** Whom to let in by a client certificate. */
    readonly clientCa?: string | Buffer;
  };
}

/** What a request asked for. */
export interface AskedApi {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
}

interface Stored {
  readonly kind: Kind;
  readonly namespace: string;
  readonly version: number;
  readonly object: ApiObject & { readonly metadata: { readonly uid: string } };
}

interface Change {
  readonly version: number;
  readonly before: Stored | null;
  readonly after: Stored | null;
}

interface Watching {
  readonly matches: (stored: Stored | null) => boolean;
  readonly response: ServerResponse;
  readonly bookmarks: boolean;
}

const KINDS: Readonly<Record<Kind, string>> = { pods: 'Pod', configmaps: 'ConfigMap' };

/**
 * A Kubernetes API server in this process, as far as lists and watches of pods and ConfigMaps go. It does what the real
 * one was seen to do: one version for all objects, pages, bookmarks, `DELETED` for what the selector has lost, 410 for
 * versions and pages that are forgotten (as a status or in the stream), and its own words for what is refused.
 */
export class FakeApiServer {
  readonly requests: AskedApi[] = [];
  /** The token that requests must have; null for none. */
  token: string | null = null;
  /** Kinds that may not be read. */
  readonly denied = new Set<Kind>();
  /** Whether a forgotten version is refused by the status or in the stream. */
  goneAs: 'status' | 'event' = 'event';
  /** Requests are accepted and never answered. */
  frozen = false;
  /** Answers a request instead; false leaves it to the server. */
  script: ((asked: AskedApi, response: ServerResponse) => boolean) | null = null;
  readonly #server: Server | https.Server;
  readonly #scheme: string;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<Watching>();
  readonly #objects = new Map<string, Stored>();
  readonly #pages = new Map<string, readonly Stored[]>();
  #changes: Change[] = [];
  /** Changes up to this one are forgotten. */
  #forgotten = 0;
  #version = 100;
  #uids = 0;
  #port = 0;

  constructor({ tls }: FakeApiOptions = {}) {
    const listener: RequestListener = (request, response) => this.#serve(request, response);
    const { clientCa } = tls ?? {};
    const asks = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
    this.#server =
      tls === undefined ? createServer(listener) : https.createServer({ ...tls, ...asks }, listener);
    this.#scheme = tls === undefined ? 'http' : 'https';
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}`;
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  get openSockets(): number {
    return this.#sockets.size;
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

  /** Ends all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends all watches in good order, as after their timeout. */
  endWatches(): void {
    for (const watching of this.#watches) {
      this.#watches.delete(watching);
      watching.response.end();
    }
  }

  put(kind: Kind, namespace: string, object: ApiObject): void {
    const key = `${kind} ${namespace} ${object.metadata.name}`;
    const before = this.#objects.get(key) ?? null;
    const uid = object.metadata.uid ?? before?.object.metadata.uid ?? `uid-${++this.#uids}`;
    const version = ++this.#version;
    const after: Stored = {
      kind,
      namespace,
      version,
      object: {
        ...object,
        metadata: { ...object.metadata, namespace, uid, resourceVersion: String(version) } as never,
      },
    };
    this.#objects.set(key, after);
    this.#tell({ version, before, after });
  }

  remove(kind: Kind, namespace: string, name: string): void {
    const key = `${kind} ${namespace} ${name}`;
    const before = this.#objects.get(key) ?? null;
    if (before === null) return;
    this.#objects.delete(key);
    this.#tell({ version: ++this.#version, before, after: null });
  }

  get(kind: Kind, namespace: string, name: string): ApiObject | null {
    return this.#objects.get(`${kind} ${namespace} ${name}`)?.object ?? null;
  }

  /** Forgets what has changed so far, as etcd does every five minutes. */
  compact(): void {
    this.#changes = [];
    this.#pages.clear();
    this.#forgotten = this.#version;
  }

  /** Sends a bookmark on each watch that takes them. */
  bookmark(): void {
    for (const { response, bookmarks } of this.#watches) {
      if (bookmarks) write(response, 'BOOKMARK', { metadata: { resourceVersion: String(this.#version) } });
    }
  }

  /** Writes to all watches, whatever it is. */
  spoil(text: string): void {
    for (const { response } of this.#watches) response.write(text);
  }

  async close(): Promise<void> {
    await this.down();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://api');
    const asked: AskedApi = { path: pathname, query, authorization: request.headers.authorization };
    this.requests.push(asked);
    if (this.frozen || this.script?.(asked, response) === true) return;
    const [, namespace = '', kind = ''] =
      /^\/api\/v1\/namespaces\/([^/]+)\/(pods|configmaps)$/.exec(pathname) ?? [];
    const watch = query.get('watch') === 'true';
    if (kind === '') fail(response, 404, 'the server could not find the requested resource');
    else if (this.token !== null && asked.authorization !== `Bearer ${this.token}`) {
      fail(response, 401, 'Unauthorized');
    } else if (this.denied.has(kind as Kind)) {
      const user = `system:serviceaccount:${namespace}:gateway`;
      const what = `${kind} is forbidden: User "${user}" cannot ${watch ? 'watch' : 'list'} resource "${kind}"`;
      fail(response, 403, `${what} in API group "" in the namespace "${namespace}"`);
    } else {
      const matches = selector(kind as Kind, namespace, query);
      if (watch) this.#watch(query, matches, response);
      else this.#list(kind as Kind, query, matches, response);
    }
  }

  #list(kind: Kind, query: URLSearchParams, matches: Watching['matches'], response: ServerResponse): void {
    const limit = Number(query.get('limit') ?? 0);
    const token = query.get('continue');
    const rest = token === null ? [...this.#objects.values()].filter(matches) : this.#pages.get(token);
    if (rest === undefined) {
      fail(response, 410, 'The provided continue parameter is too old to display a consistent list result.');
      return;
    }
    const page = limit > 0 ? rest.slice(0, limit) : rest;
    const left = rest.slice(page.length);
    const next = left.length === 0 ? '' : `page-${this.#pages.size}-${this.#version}`;
    if (next !== '') this.#pages.set(next, left);
    json(response, 200, {
      kind: `${KINDS[kind]}List`,
      apiVersion: 'v1',
      metadata: {
        resourceVersion: String(this.#version),
        ...(next === '' ? {} : { continue: next, remainingItemCount: left.length }),
      },
      items: page.map(({ object }) => object),
    });
  }

  #watch(query: URLSearchParams, matches: Watching['matches'], response: ServerResponse): void {
    const from = Number(query.get('resourceVersion') ?? 0);
    const isGone = from < this.#forgotten;
    const message = `too old resource version: ${from} (${this.#forgotten})`;
    if (isGone && this.goneAs === 'status') {
      fail(response, 410, message);
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (isGone) {
      write(response, 'ERROR', statusOf(410, message));
      response.end();
      return;
    }
    const watching: Watching = { matches, response, bookmarks: query.get('allowWatchBookmarks') === 'true' };
    this.#watches.add(watching);
    const timer = setTimeout(
      () => response.end(),
      Number(query.get('timeoutSeconds') ?? 1_800) * 1_000,
    ).unref();
    response.on('close', () => {
      clearTimeout(timer);
      this.#watches.delete(watching);
    });
    for (const change of this.#changes) if (change.version > from) send(watching, change);
  }

  #tell(change: Change): void {
    this.#changes.push(change);
    for (const watching of this.#watches) send(watching, change);
  }
}

/** Starts a server of which nothing is stored. The caller closes it. */
export async function startFakeApiServer(options: FakeApiOptions = {}): Promise<FakeApiServer> {
  const server = new FakeApiServer(options);
  await server.up();
  return server;
}

function send({ matches, response }: Watching, { version, before, after }: Change): void {
  const [was, is] = [matches(before), matches(after)];
  if (is && after !== null) write(response, was ? 'MODIFIED' : 'ADDED', typed(after));
  else if (was && before !== null) {
    const { metadata, ...rest } = typed(before);
    write(response, 'DELETED', { ...rest, metadata: { ...metadata, resourceVersion: String(version) } });
  }
}

/** Objects name their type in a watch, and not in a list. */
function typed({ kind, object }: Stored): ApiObject {
  return { kind: KINDS[kind], apiVersion: 'v1', ...object };
}

/** Of label selectors, equality and presence; of field selectors, `metadata.name`. */
function selector(kind: Kind, namespace: string, query: URLSearchParams): Watching['matches'] {
  const labels = (query.get('labelSelector') ?? '').split(',').filter((term) => term !== '');
  const name = query.get('fieldSelector')?.replace('metadata.name=', '');
  return (stored) => {
    if (stored === null || stored.kind !== kind || stored.namespace !== namespace) return false;
    const { metadata } = stored.object;
    if (name !== undefined && metadata.name !== name) return false;
    return labels.every((term) => {
      const [key = '', value] = term.split('=');
      const given = metadata.labels?.[key];
      return value === undefined ? given !== undefined : given === value;
    });
  };
}

function write(response: ServerResponse, type: string, object: unknown): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

function statusOf(code: number, message: string): object {
  const reason =
    code === 410 ? 'Expired' : code === 403 ? 'Forbidden' : code === 401 ? 'Unauthorized' : 'NotFound';
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
}

function fail(response: ServerResponse, code: number, message: string): void {
  json(response, code, statusOf(code, message));
}

function json(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
