import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import { LoopbackServer } from '../net/loopback-server.ts';
import { faultOf } from './validation.ts';

export type Kind = 'pods' | 'configmaps' | 'leases' | 'endpointslices';
/** Those that can be written over HTTP. */
type Written = 'leases' | 'endpointslices';

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
  readonly method: string;
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

/** What is left of a list, which is of one version however many pages it has. */
interface Page {
  readonly version: number;
  readonly rest: readonly Stored[];
}

interface Watching {
  /** It is told what comes after this, even if that is ahead of all that there is. */
  readonly from: number;
  readonly kind: Kind;
  readonly matches: (stored: Stored | null) => boolean;
  readonly response: ServerResponse;
  readonly bookmarks: boolean;
}

/** A watch is told where it is this long before it ends, in ms. */
const LAST_BOOKMARK_MS = 2_000;

const KINDS: Readonly<Record<Kind, string>> = {
  pods: 'Pod',
  configmaps: 'ConfigMap',
  leases: 'Lease',
  endpointslices: 'EndpointSlice',
};
const GROUPS: Readonly<Record<Kind, string>> = {
  pods: '',
  configmaps: '',
  leases: 'coordination.k8s.io',
  endpointslices: 'discovery.k8s.io',
};
const VERBS: Readonly<Record<string, string>> = { GET: 'get', POST: 'create', PUT: 'update' };

/**
 * A Kubernetes API server in this process, as far as lists and watches of pods and ConfigMaps go, and Leases and
 * EndpointSlices that are read, created and replaced. It does what the real one was seen to do: one version for all objects, pages, bookmarks, `DELETED` for what the selector has lost, 410 for
 * versions and pages that are forgotten (as a status or in the stream), and its own words for what is refused.
 */
export class FakeApiServer {
  readonly requests: AskedApi[] = [];
  /** The token that requests must have; null for none. */
  token: string | null = null;
  /** What may not be done, such as `list pods`. */
  readonly denied = new Set<`${'list' | 'watch'} ${Kind}`>();
  /** Whether a forgotten version is refused by the status or in the stream. */
  goneAs: 'status' | 'event' = 'event';
  /** Requests are accepted and never answered. */
  frozen = false;
  /** Watches are not told of changes. */
  mute = false;
  /** Answers a request instead; false leaves it to the server. */
  script: ((asked: AskedApi, response: ServerResponse) => boolean) | null = null;
  /** What may not be done, to Leases and EndpointSlices, such as `update leases`. */
  readonly deniedVerbs = new Set<string>();
  /** Holds a write back before it is done; it may reject, and then the connection ends. */
  hold: ((asked: AskedApi, object: ApiObject) => Promise<void>) | null = null;
  /** Called after each write that was done. */
  onWrite: ((kind: Kind, object: ApiObject) => void) | null = null;
  /** Namespaces that are there; null for all. */
  namespaces: ReadonlySet<string> | null = null;
  readonly #server: LoopbackServer;
  readonly #scheme: string;
  readonly #watches = new Set<Watching>();
  readonly #objects = new Map<string, Stored>();
  readonly #pages = new Map<string, Page>();
  #changes: Change[] = [];
  /** Changes up to this one are forgotten. */
  #forgotten = 0;
  #version = 100;
  #uids = 0;
  #pagesMade = 0;

  constructor({ tls }: FakeApiOptions = {}) {
    const listener: RequestListener = (request, response) => this.#serve(request, response);
    const { clientCa } = tls ?? {};
    const asks = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
    this.#server = new LoopbackServer(
      tls === undefined ? createServer(listener) : https.createServer({ ...tls, ...asks }, listener),
    );
    this.#scheme = tls === undefined ? 'http' : 'https';
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.#server.port}`;
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  get openSockets(): number {
    return this.#server.openSockets;
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

  /** Ends all watches, or those of one kind, in good order, as after their timeout. */
  endWatches(kind: Kind | null = null): void {
    for (const watching of this.#watches) {
      if (kind !== null && watching.kind !== kind) continue;
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

  /** Nothing is there any more, and versions begin anew, as with an etcd that was replaced. */
  lose(): void {
    this.#objects.clear();
    this.#pages.clear();
    this.#changes = [];
    this.#forgotten = 0;
    this.#version = 1;
  }

  /** Sends a bookmark on each watch that takes them, as the real one does each minute. */
  bookmark(): void {
    for (const watching of this.#watches) this.#bookmark(watching);
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
    const asked: AskedApi = {
      method: request.method ?? '',
      path: pathname,
      query,
      authorization: request.headers.authorization,
    };
    this.requests.push(asked);
    if (this.frozen || this.script?.(asked, response) === true) return;
    const [, group = '', space = '', resource = '', name] =
      /^\/apis\/([^/]+)\/v1\/namespaces\/([^/]+)\/(leases|endpointslices)(?:\/([^/]+))?$/.exec(pathname) ??
      [];
    if (group !== '' && GROUPS[resource as Kind] === group) {
      this.#object(asked, resource as Written, space, name ?? null, request, response).catch(() =>
        request.socket.destroy(),
      );
      return;
    }
    const [, namespace = '', kind = ''] =
      /^\/api\/v1\/namespaces\/([^/]+)\/(pods|configmaps)$/.exec(pathname) ?? [];
    const watch = query.get('watch') === 'true';
    if (kind === '') fail(response, 404, 'the server could not find the requested resource');
    else if (this.token !== null && asked.authorization !== `Bearer ${this.token}`) {
      fail(response, 401, 'Unauthorized');
    } else if (this.denied.has(`${watch ? 'watch' : 'list'} ${kind as Kind}`)) {
      const user = `system:serviceaccount:${namespace}:gateway`;
      const name = query.get('fieldSelector')?.replace('metadata.name=', '');
      const shown = name === undefined ? kind : `${kind} "${name}"`;
      const what = `${shown} is forbidden: User "${user}" cannot ${watch ? 'watch' : 'list'} resource "${kind}"`;
      fail(response, 403, `${what} in API group "" in the namespace "${namespace}"`);
    } else {
      const matches = selector(kind as Kind, namespace, query);
      if (watch) this.#watch(kind as Kind, query, matches, response);
      else this.#list(kind as Kind, query, matches, response);
    }
  }

  /** Answers a request for one object, or to make one. */
  async #object(
    asked: AskedApi,
    kind: Written,
    namespace: string,
    name: string | null,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const resource = `${kind}.${GROUPS[kind]}`;
    const verb = VERBS[asked.method] ?? 'delete';
    if (this.token !== null && asked.authorization !== `Bearer ${this.token}`) {
      fail(response, 401, 'Unauthorized');
    } else if (this.deniedVerbs.has(`${verb} ${kind}`)) {
      const user = `system:serviceaccount:${namespace}:gateway`;
      const what = name === null ? '' : ` "${name}"`;
      const where = `in API group "${GROUPS[kind]}" in the namespace "${namespace}"`;
      const message = `${resource}${what} is forbidden: User "${user}" cannot ${verb} resource "${kind}" ${where}`;
      fail(response, 403, message);
    } else if (verb === 'get') {
      const stored = this.#objects.get(`${kind} ${namespace} ${name}`);
      if (stored === undefined) notFound(response, kind, name ?? '');
      else json(response, 200, typed(stored));
    } else {
      const object = JSON.parse(Buffer.concat(chunks).toString('utf8')) as ApiObject;
      if (this.hold !== null) {
        try {
          await this.hold(asked, object);
        } catch {
          request.socket.destroy();
          return;
        }
      }
      this.#write(kind, namespace, name, object, response);
    }
  }

  #write(
    kind: Written,
    namespace: string,
    name: string | null,
    object: ApiObject,
    response: ServerResponse,
  ): void {
    const own = object.metadata.name;
    const resource = `${kind}.${GROUPS[kind]}`;
    const before = this.#objects.get(`${kind} ${namespace} ${own}`) ?? null;
    if (name === null && this.namespaces?.has(namespace) === false) {
      fail(response, 404, `namespaces "${namespace}" not found`, { name: namespace, kind: 'namespaces' });
      return;
    }
    if (name !== null && name !== own) {
      fail(response, 400, `the name of the object (${own}) does not match the name on the URL (${name})`);
      return;
    }
    if (name === null && before !== null) {
      fail(response, 409, `${resource} "${own}" already exists`, { name: own, group: GROUPS[kind], kind });
      return;
    }
    if (name !== null && before === null) {
      notFound(response, kind, own);
      return;
    }
    const { resourceVersion = '', uid } = object.metadata as { resourceVersion?: string; uid?: string };
    const isStale =
      before !== null &&
      ((resourceVersion !== '' && resourceVersion !== String(before.version)) ||
        (uid !== undefined && uid !== before.object.metadata.uid));
    if (isStale) {
      const message = `Operation cannot be fulfilled on ${resource} "${own}": the object has been modified; please apply your changes to the latest version and try again`;
      fail(response, 409, message, { name: own, group: GROUPS[kind], kind });
      return;
    }
    const fault =
      before !== null && kind === 'leases' && resourceVersion === ''
        ? 'metadata.resourceVersion: Invalid value: 0x0: must be specified for an update'
        : faultOf(kind, object, before?.object ?? null);
    if (fault !== null) {
      fail(response, 422, `${KINDS[kind]}.${GROUPS[kind]} "${own}" is invalid: ${fault}`);
      return;
    }
    const stored = this.#stored(kind, namespace, object, before);
    json(response, before === null ? 201 : 200, typed(stored));
    this.onWrite?.(kind, stored.object);
  }

  /** What changes nothing has no new version. */
  #stored(kind: Written, namespace: string, object: ApiObject, before: Stored | null): Stored {
    const bare = (one: ApiObject): string => {
      const { kind: _, apiVersion: __, metadata, ...rest } = one;
      return JSON.stringify([{ ...metadata, resourceVersion: '', uid: '', namespace: '' }, rest]);
    };
    if (before !== null && bare(before.object) === bare(object)) return before;
    const { kind: _, apiVersion: __, ...rest } = object;
    this.put(kind, namespace, rest as ApiObject);
    return this.#objects.get(`${kind} ${namespace} ${object.metadata.name}`) as Stored;
  }

  #list(kind: Kind, query: URLSearchParams, matches: Watching['matches'], response: ServerResponse): void {
    const limit = Number(query.get('limit') ?? 0);
    const token = query.get('continue');
    const all = (): Page => ({
      version: this.#version,
      rest: [...this.#objects.values()].filter(matches).toSorted(byName),
    });
    const found = token === null ? all() : this.#pages.get(token);
    if (found === undefined) {
      fail(response, 410, 'The provided continue parameter is too old to display a consistent list result.');
      return;
    }
    const { version, rest } = found;
    const page = limit > 0 ? rest.slice(0, limit) : rest;
    const left = rest.slice(page.length);
    const next = left.length === 0 ? '' : `page-${++this.#pagesMade}`;
    if (next !== '') this.#pages.set(next, { version, rest: left });
    json(response, 200, {
      kind: `${KINDS[kind]}List`,
      apiVersion: 'v1',
      metadata: { resourceVersion: String(version), ...(next === '' ? {} : { continue: next }) },
      items: page.map(({ object }) => object),
    });
  }

  #watch(kind: Kind, query: URLSearchParams, matches: Watching['matches'], response: ServerResponse): void {
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
    const bookmarks = query.get('allowWatchBookmarks') === 'true';
    const watching: Watching = { from, kind, matches, response, bookmarks };
    this.#watches.add(watching);
    const endMs = Number(query.get('timeoutSeconds') ?? 1_800) * 1_000;
    const timers = [
      setTimeout(() => this.#bookmark(watching), endMs - LAST_BOOKMARK_MS).unref(),
      setTimeout(() => response.end(), endMs).unref(),
    ];
    response.on('close', () => {
      for (const timer of timers) clearTimeout(timer);
      this.#watches.delete(watching);
    });
    for (const change of this.#changes) send(watching, change);
  }

  #bookmark({ from, response, bookmarks, kind }: Watching): void {
    if (!bookmarks || this.#version < from) return;
    const metadata = { resourceVersion: String(this.#version) };
    write(response, 'BOOKMARK', { kind: KINDS[kind], apiVersion: 'v1', metadata });
  }

  #tell(change: Change): void {
    this.#changes.push(change);
    if (!this.mute) for (const watching of this.#watches) send(watching, change);
  }
}

/** Starts a server of which nothing is stored. The caller closes it. */
export async function startFakeApiServer(options: FakeApiOptions = {}): Promise<FakeApiServer> {
  const server = new FakeApiServer(options);
  await server.up();
  return server;
}

/** As etcd has them. */
function byName({ object: a }: Stored, { object: b }: Stored): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

function send({ from, matches, response }: Watching, { version, before, after }: Change): void {
  if (version <= from) return;
  const [was, is] = [matches(before), matches(after)];
  if (is && after !== null) write(response, was ? 'MODIFIED' : 'ADDED', typed(after));
  else if (was && before !== null) {
    const { metadata, ...rest } = typed(before);
    write(response, 'DELETED', { ...rest, metadata: { ...metadata, resourceVersion: String(version) } });
  }
}

/** Objects name their type in a watch, and not in a list. */
function typed({ kind, object }: Stored): ApiObject {
  const version = GROUPS[kind] === '' ? 'v1' : `${GROUPS[kind]}/v1`;
  return { kind: KINDS[kind], apiVersion: version, ...object };
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

const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
};

function statusOf(code: number, message: string, details?: object): object {
  const reason = REASONS[code] ?? 'NotFound';
  const more = details === undefined ? {} : { details };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...more,
    code,
  };
}

function fail(response: ServerResponse, code: number, message: string, details?: object): void {
  json(response, code, statusOf(code, message, details));
}

function notFound(response: ServerResponse, kind: Kind, name: string): void {
  fail(response, 404, `${kind}.${GROUPS[kind]} "${name}" not found`, { name, group: GROUPS[kind], kind });
}

function json(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
