import { contain, type InternalErrors } from '../../faults/internal-errors.ts';
import type { Role } from '../discovery.ts';
import { ApiError, bounded, type HttpApi } from '../http-api.ts';
import { keyPath } from './entries.ts';

/** The values of keys that hold announcements: real ones are mostly too long for the metadata of a service. */
export interface NodeValues {
  start(): void;
  /** These are the keys of a role now; others of it are forgotten. */
  want(role: Role, keys: readonly string[]): void;
  /** Calls back once each key that is wanted for the role has been asked for, at once if that is so already. */
  whenAsked(role: Role, done: () => void): void;
  /** The value of a key; null if it is not there, or not read yet. */
  get(key: string): string | null;
  /** Resolves when nothing of it is under way any more. */
  stop(): Promise<void>;
}

export interface NodeValuesOptions {
  readonly api: HttpApi;
  /** Parameters of each request. */
  readonly query: Readonly<Record<string, string>>;
  readonly requestMs: number;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Values of this role were read, and may have changed. Called seldom while many are read. */
  readonly onRead: (role: Role) => void;
}

/** Requests at once. */
const AT_ONCE = 16;
/** After so many ms a key that is missing, or could not be read, is asked for again. */
const AGAIN_MS = 1_000;
/** A value may change while its service stays as it is, as when a node is restarted with another version. */
const REFRESH_MS = 60_000;
/** While keys are still to be asked for, those that were read are told each so many ms: all nodes are looked at each time. */
const TELL_MS = 250;
/** More than an announcement may have. */
const MAX_BYTES = 64 * 1024;

/** Creates an empty store. */
export function createNodeValues(options: NodeValuesOptions): NodeValues {
  return new KeyedValues(options);
}

class KeyedValues implements NodeValues {
  readonly #options: NodeValuesOptions;
  readonly #wanted = new Map<Role, readonly string[]>();
  /** The keys of all roles. */
  #all: ReadonlySet<string> = new Set();
  /** Null for a key that is not there. */
  readonly #values = new Map<string, string | null>();
  readonly #queue = new Set<string>();
  /** Roles of which something was read that is told soon. */
  readonly #untold = new Set<Role>();
  readonly #waiting = new Map<Role, (() => void)[]>();
  readonly #ends = new AbortController();
  readonly #workers = new Set<Promise<void>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  constructor(options: NodeValuesOptions) {
    this.#options = options;
  }

  start(): void {
    this.#later(REFRESH_MS, () => this.#refresh());
  }

  want(role: Role, keys: readonly string[]): void {
    this.#wanted.set(role, keys);
    this.#all = new Set([...this.#wanted.values()].flat());
    for (const key of this.#values.keys()) if (!this.#all.has(key)) this.#values.delete(key);
    for (const key of this.#queue) if (!this.#all.has(key)) this.#queue.delete(key);
    for (const key of keys) if (this.#values.get(key) == null) this.#queue.add(key);
    this.#work();
  }

  whenAsked(role: Role, done: () => void): void {
    if (this.#isAsked(role)) {
      done();
      return;
    }
    this.#waiting.set(role, [...(this.#waiting.get(role) ?? []), done]);
  }

  get(key: string): string | null {
    return this.#values.get(key) ?? null;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#ends.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#queue.clear();
    await Promise.all(this.#workers);
  }

  #isAsked(role: Role): boolean {
    return (this.#wanted.get(role) ?? []).every((key) => this.#values.has(key));
  }

  #refresh(): void {
    for (const key of this.#all) this.#queue.add(key);
    this.#work();
    this.#later(REFRESH_MS, () => this.#refresh());
  }

  #work(): void {
    while (!this.#stopped && this.#workers.size < Math.min(AT_ONCE, this.#queue.size)) {
      const worker = this.#drain().then(() => void this.#workers.delete(worker));
      this.#workers.add(worker);
    }
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    for (const key of this.#queue) {
      this.#queue.delete(key);
      await this.#read(key);
      if (this.#stopped) return;
      this.#guarded(() => this.#settle(key));
    }
  }

  async #read(key: string): Promise<void> {
    const { api, query, requestMs, errors } = this.#options;
    try {
      const path = `${keyPath(key)}?${new URLSearchParams({ raw: 'true', ...query })}`;
      const answer = await api.get(path, requestMs, this.#ends.signal, 404);
      const body = await bounded(answer, MAX_BYTES, requestMs);
      const value = answer.statusCode === 404 ? null : body.toString('utf8');
      if (this.#all.has(key)) this.#values.set(key, value);
      if (value !== null) return;
    } catch (error) {
      if (this.#stopped) return;
      if (!(error instanceof ApiError)) errors.report('discovery', error);
      // What was read before may still be so, and is asked for again in time.
      if (this.#values.get(key) != null) return;
      if (this.#all.has(key)) this.#values.set(key, null);
    }
    this.#later(AGAIN_MS, () => {
      if (this.#all.has(key)) this.#queue.add(key);
      this.#work();
    });
  }

  #settle(key: string): void {
    for (const [role, keys] of this.#wanted) {
      if (!keys.includes(key)) continue;
      if (!this.#isAsked(role)) {
        this.#tellSoon(role);
        continue;
      }
      this.#options.onRead(role);
      const waiting = this.#waiting.get(role) ?? [];
      this.#waiting.delete(role);
      for (const done of waiting) done();
    }
  }

  #tellSoon(role: Role): void {
    if (this.#untold.has(role)) return;
    this.#untold.add(role);
    this.#later(TELL_MS, () => {
      this.#untold.delete(role);
      this.#options.onRead(role);
    });
  }

  #later(ms: number, step: () => void): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#guarded(step);
    }, ms);
    this.#timers.add(timer);
  }

  #guarded(step: () => void): void {
    contain(step, (error) => this.#options.errors.report('discovery', error));
  }
}
