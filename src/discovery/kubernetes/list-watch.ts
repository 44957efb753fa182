import type { IncomingMessage } from 'node:http';
import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { createBackoff } from '../../time/backoff.ts';
import { Nap } from '../../time/nap.ts';
import { ApiError, bounded, codeOf, type HttpApi, shown } from '../http-api.ts';
import { fieldOf, isFields, textAt } from '../json-fields.ts';
import { createLines } from './lines.ts';
import { metadataOf } from './metadata.ts';

export interface ListWatchOptions<T> {
  readonly api: HttpApi;
  /** The path of a kind of objects in a namespace. */
  readonly path: string;
  /** Selectors, as parameters of the query. */
  readonly select: Readonly<Record<string, string>>;
  /** Returns what to keep of an object, or null. */
  readonly keep: (object: unknown) => T | null;
  /** Called with all that is kept, by name, after each list and each change. */
  readonly onChange: (items: ReadonlyMap<string, T>) => void;
  /** The server has just been heard: what is kept is what there is now. */
  readonly onHeard: () => void;
  /** The server cannot be read now; one sentence without credentials. */
  readonly onAway: (why: string) => void;
  /**
   * The server was not reached, or could not answer, to what was asked `since` (by `performance.now()`): it may come
   * back with other versions.
   */
  readonly onOutage: (since: number) => void;
  /** A problem that does not stop the watch; one sentence. */
  readonly onFault: (fault: string) => void;
  /** A watch in which nothing came for so long, in ms, is given up, and a list shows whether the server is there. */
  readonly quietMs: () => number;
  /** Where internal errors are reported; everything is then listed again. */
  readonly errors: InternalErrors;
  readonly random: () => number;
  /** Longest delay between attempts, in ms. */
  readonly maxDelayMs: number;
  /** How long a request may take to its answer, and a page of a list to its end, in ms. */
  readonly requestMs: number;
}

/** Keeps what a list and the watch after it say about one kind of objects. */
export interface ListWatch {
  start(): void;
  /** Lists again now. */
  refresh(): void;
  /** Lists again before the next watch; now, if the present one began after `since`, by `performance.now()`. */
  listNext(since: number): void;
  /** Watches that began after the first one. */
  readonly restarts: number;
  /** Resolves when nothing of it is under way any more. */
  stop(): Promise<void>;
}

/** Objects in a page of a list: a page is parsed in one turn of the event loop, and a pod has some 10 kB. */
const PAGE = 100;
const MAX_PAGE_BYTES = 32 * 1024 * 1024;
/** Pages of one list; a cluster of Druid's has not so many pods. */
const MOST_PAGES = 100;
/** Longest event of a watch in bytes: etcd stores objects of up to 1.5 MiB. */
const MAX_EVENT_BYTES = 4 * 1024 * 1024;
/** A watch is to end after so many seconds, up to twice as many: so do those of the Kubernetes clients. */
const WATCH_S = 300;
/** Delay after an internal error, in ms. */
const AFTER_ERROR_MS = 1_000;

/** How one watch ended. */
type Ending = 'ended' | 'list_again';

/** Creates a list and watch, as the API's documentation describes it ("Efficient detection of changes"). */
export function createListWatch<T>(options: ListWatchOptions<T>): ListWatch {
  return new Following(options);
}

class Following<T> implements ListWatch {
  readonly #options: ListWatchOptions<T>;
  readonly #backoff;
  #items = new Map<string, T>();
  /** What the next watch begins after; null if a list has to come first. */
  #version: string | null = null;
  /** A list comes before the next watch, whatever versions are told until then. */
  #listsNext = false;
  /** When the watch that is open began; null if none is. */
  #watchesSince: number | null = null;
  /** Ends what is under way. */
  #ends = new AbortController();
  /** Why it was ended by us. */
  #ending: Ending | null = null;
  #watches = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  readonly #nap = new Nap();

  constructor(options: ListWatchOptions<T>) {
    this.#options = options;
    const { random, maxDelayMs } = options;
    this.#backoff = createBackoff({ servers: 1, random, capMs: maxDelayMs });
  }

  get restarts(): number {
    return Math.max(0, this.#watches - 1);
  }

  start(): void {
    this.#running = this.#run();
  }

  refresh(): void {
    if (this.#stopped) return;
    this.#listsNext = true;
    this.#end('list_again');
  }

  listNext(since: number): void {
    if (this.#watchesSince !== null && this.#watchesSince > since) this.refresh();
    else this.#listsNext = true;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#end('ended');
    this.#nap.wake();
    await this.#running;
  }

  #end(ending: Ending): void {
    this.#ending = ending;
    this.#ends.abort();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#ends = new AbortController();
      this.#ending = null;
      let delay = 0;
      let began = 0;
      const asked = performance.now();
      try {
        if (this.#listsNext) this.#version = null;
        this.#listsNext = false;
        if (this.#version === null) await this.#list();
        const answer = await this.#openWatch(this.#version ?? '');
        began = performance.now();
        if (this.#listsNext) {
          answer.destroy();
          continue;
        }
        this.#watchesSince = began;
        await this.#follow(answer);
        // To be asked to list again by ourselves is no failure.
        if (this.#ending === null) delay = this.#failed(began);
      } catch (error) {
        if (this.#stopped) return;
        if (this.#ending === null) delay = this.#onError(error, asked, began);
      } finally {
        this.#watchesSince = null;
      }
      if (delay > 0 && !this.#stopped) await this.#nap.sleep(delay);
    }
  }

  /** Returns how long to wait. */
  #onError(error: unknown, asked: number, began: number): number {
    if (!(error instanceof ApiError)) {
      this.#options.errors.report('discovery', error);
      this.#version = null;
      return AFTER_ERROR_MS;
    }
    if (error.isGone) this.#version = null;
    // The end of a watch that had begun is no news yet: the next request shows whether the server is there.
    else if (began === 0) {
      // It may come back with an etcd that was restored. A watch that is ahead of its versions is told nothing.
      if (error.isOutage) {
        this.#version = null;
        this.#guarded(() => this.#options.onOutage(asked));
      }
      this.#guarded(() => this.#options.onAway(error.message));
    }
    return Math.max(error.retryAfterMs, this.#failed(began));
  }

  #failed(began: number): number {
    this.#backoff.ended(began === 0 ? 0 : performance.now() - began);
    return this.#backoff.delay();
  }

  async #list(): Promise<void> {
    const { api, keep, onChange, requestMs } = this.#options;
    const found = new Map<string, T>();
    let next = '';
    let version = '';
    for (let pages = 0; ; pages++) {
      if (pages === MOST_PAGES) throw new ApiError(`has more than ${MOST_PAGES * PAGE} of them`);
      const query = { limit: String(PAGE), ...(next === '' ? {} : { continue: next }) };
      const answer = await api.get(this.#url(query), requestMs, this.#ends.signal);
      const page = parsed(await bounded(answer, MAX_PAGE_BYTES, requestMs));
      const items = fieldOf(page, 'items');
      version = textAt(page, 'metadata', 'resourceVersion');
      // The items of a list that is empty may be null.
      if ((items !== null && !Array.isArray(items)) || version === '') {
        throw new ApiError('answered with something other than a list');
      }
      for (const item of items ?? []) {
        const name = metadataOf(item)?.name;
        const kept = keep(item);
        if (name !== undefined && kept !== null) found.set(name, kept);
      }
      next = textAt(page, 'metadata', 'continue');
      if (next === '') break;
    }
    if (this.#stopped) return;
    this.#items = found;
    this.#version = version;
    this.#guarded(() => onChange(found));
    this.#heard();
  }

  #openWatch(version: string): Promise<IncomingMessage> {
    const { api, random, requestMs } = this.#options;
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: version,
      timeoutSeconds: String(Math.round(WATCH_S * (1 + random()))),
    };
    return api.get(this.#url(query), requestMs, this.#ends.signal);
  }

  /** Resolves when the watch has ended. Rejects with `ApiError` if it says something wrong or is cut off. */
  async #follow(answer: IncomingMessage): Promise<void> {
    const { quietMs } = this.#options;
    this.#watches++;
    this.#heard();
    const lines = createLines(MAX_EVENT_BYTES);
    const quiet = setTimeout(() => this.refresh(), quietMs());
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        const whole = lines.push(chunk);
        if (whole === null) throw this.#spoiled(`sent an event of more than ${MAX_EVENT_BYTES} bytes`);
        if (whole.length === 0) continue;
        if (this.#ending !== null) return;
        for (const line of whole) this.#event(line);
        this.#heard();
        quiet.refresh();
      }
    } catch (error) {
      if (error instanceof ApiError || !isOfStream(error)) throw error;
      throw new ApiError(`ended the watch (${codeOf(error)})`);
    } finally {
      clearTimeout(quiet);
      answer.destroy();
    }
  }

  #event(line: Buffer): void {
    if (line.length === 0) return;
    const event = this.#parsedEvent(line);
    const { keep, onChange } = this.#options;
    const object = fieldOf(event, 'object');
    const type = textAt(event, 'type');
    if (type === 'ERROR') {
      // Mostly 410: the version is too old. After any other, too, only a list shows what there is.
      this.#version = null;
      throw watchError(object);
    }
    const version = textAt(object, 'metadata', 'resourceVersion');
    const name = metadataOf(object)?.name;
    if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') {
      if (name === undefined) throw this.#spoiled('sent an event without an object');
      const kept = type === 'DELETED' ? null : keep(object);
      if (kept === null) this.#items.delete(name);
      else this.#items.set(name, kept);
      this.#guarded(() => onChange(this.#items));
    }
    // A bookmark has nothing but a version.
    if (version !== '') this.#version = version;
  }

  #parsedEvent(line: Buffer): unknown {
    try {
      return parsed(line);
    } catch (error) {
      throw error instanceof ApiError ? this.#spoiled(error.message) : error;
    }
  }

  /** What is kept may not be what there is: it is listed again. */
  #spoiled(what: string): ApiError {
    this.#version = null;
    this.#guarded(() => this.#options.onFault(what));
    return new ApiError(what);
  }

  #heard(): void {
    this.#guarded(() => this.#options.onHeard());
  }

  #url(query: Readonly<Record<string, string>>): string {
    return `${this.#options.path}?${new URLSearchParams({ ...this.#options.select, ...query })}`;
  }

  #guarded(step: () => void): void {
    contain(step, (error) => this.#options.errors.report('discovery', error));
  }
}

function parsed(text: Buffer): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text.toString('utf8'));
  } catch {
    value = null;
  }
  if (!isFields(value)) throw new ApiError('answered with something other than JSON objects');
  return value;
}

/** `ERROR` events hold a `Status`. */
function watchError(status: unknown): ApiError {
  const code = fieldOf(status, 'code');
  const said = textAt(status, 'message');
  const number = typeof code === 'number' ? code : null;
  return new ApiError(`ended the watch: ${number ?? 'error'} ${shown(said)}`.trimEnd(), number);
}

/** Errors of sockets have a code; those of our own code have none. */
function isOfStream(error: unknown): boolean {
  return error instanceof Error && 'code' in error;
}
