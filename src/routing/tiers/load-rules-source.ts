import type { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Cluster } from '../../cluster/cluster.ts';
import type { NodeTls } from '../../cluster/node.ts';
import { createNodeAgent, type NodeAgent } from '../../cluster/node-agent.ts';
import { ContainedEmitter, type InternalErrors } from '../../faults/internal-errors.ts';
import { createPoller, type Poller } from '../../time/poller.ts';
import { parseRulesInSteps, type RuleBook } from './load-rules.ts';

/** What decides how the rules are read. */
export interface RulesSettings {
  readonly pollIntervalMs: number;
  /** Timeout of one request in ms, connection and answer included. */
  readonly timeoutMs: number;
  /** The gateway's own credentials: `RULES` needs a user who may read the state. */
  readonly auth: { readonly user: string; readonly password: string } | null;
}

export interface RulesSourceOptions {
  readonly cluster: Pick<Cluster, 'view'>;
  readonly settings: RulesSettings;
  /** Whose rules hold until the first read, if there was a source before this one. */
  readonly former?: RulesSource | null;
  readonly tls?: NodeTls;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  readonly now: () => number;
  readonly random: () => number;
}

export interface RulesSourceEvents {
  /** The reason, in one sentence, when reading the rules starts to fail; null when it works again. */
  state: [string | null];
}

/** The Coordinator's load rules as last read; requests never wait for them. */
export interface RulesSource extends EventEmitter<RulesSourceEvents> {
  readonly settings: RulesSettings;
  readonly book: RuleBook | null;
  /** Milliseconds since the last read, by `now`; null before the first read. */
  readonly ageMs: number | null;
  /** Once. */
  start(): void;
  /** Keeps the rules, and emits nothing any more. */
  stop(): Promise<void>;
}

const RULES = '/druid/coordinator/v1/rules';
/**
 * Most bytes that are read. Ten thousand datasources have some megabytes of rules, and parsing JSON blocks the
 * process.
 */
const LONGEST = 8 * 1024 * 1024;
/** Longest interval in ms until the rules have been read once. */
const FIRST_INTERVAL_MS = 1_000;

/**
 * Reads the rules from the serving leader, over its own connection. The last rules are kept while reading fails.
 */
export function createRulesSource(options: RulesSourceOptions): RulesSource {
  return new PolledRules(options);
}

class PolledRules extends ContainedEmitter<RulesSourceEvents> implements RulesSource {
  /** Without the former source: otherwise each would keep all before it. */
  readonly #options: Omit<RulesSourceOptions, 'former'>;
  readonly #agent: NodeAgent;
  #poller: Poller | null = null;
  #fault: string | null = null;
  #readAt: number;
  #stopped = false;
  readonly settings: RulesSettings;
  book: RuleBook | null;

  constructor(options: RulesSourceOptions) {
    super((error) => options.errors.report('discovery', error));
    const { former = null, ...services } = options;
    const { settings, tls, now } = services;
    this.#options = services;
    this.settings = settings;
    this.book = former?.book ?? null;
    const ageMs = former?.ageMs ?? null;
    this.#readAt = ageMs === null ? 0 : now() - ageMs;
    this.#agent = createNodeAgent({
      connections: 1,
      keepAliveMs: 1_000,
      ...(tls === undefined ? {} : { tls }),
      addressOf: (origin) => services.cluster.view.nodes.get(origin)?.address ?? null,
    });
  }

  get ageMs(): number | null {
    return this.book === null ? null : this.#options.now() - this.#readAt;
  }

  start(): void {
    const { random, errors } = this.#options;
    const { pollIntervalMs } = this.settings;
    this.#poller = createPoller({
      ask: () => this.#ask(),
      interval: () => (this.book === null ? Math.min(FIRST_INTERVAL_MS, pollIntervalMs) : pollIntervalMs),
      random,
      errors,
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#poller?.stop();
    this.#agent.close();
  }

  async #ask(): Promise<void> {
    const leader = this.#options.cluster.view.leaders.coordinator;
    // Without a serving leader there is no node to ask.
    if (leader.state !== 'serving') return;
    const fault = await this.#read(leader.node.origin);
    if (this.#stopped || fault === this.#fault) return;
    this.#fault = fault;
    this.emit('state', fault);
  }

  async #read(origin: string): Promise<string | null> {
    const { timeoutMs, auth } = this.settings;
    const headers =
      auth === null
        ? {}
        : { authorization: `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString('base64')}` };
    let status: number;
    let text: string | null;
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const answer = await this.#agent.get(origin, RULES, headers, signal);
      status = answer.statusCode ?? 0;
      text = await whole(answer);
    } catch {
      return 'the Coordinator did not answer in time';
    }
    if (status !== 200) return `the Coordinator answered ${status}`;
    if (text === null) return 'the load rules of the Coordinator have more than 8 MiB';
    const book = await inTurns(parseRulesInSteps(parsed(text)));
    if (book === null) return 'the Coordinator answered with something other than load rules';
    this.#readAt = this.#options.now();
    this.book = book;
    return null;
  }
}

/** Runs the steps in separate turns of the event loop, so requests are served in between. */
async function inTurns<T>(steps: Generator<undefined, T>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await nextTurn();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Returns the body as text, or null if it exceeds `LONGEST`. */
async function whole(body: AsyncIterable<Buffer>): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size > LONGEST) return null;
  }
  return Buffer.concat(chunks).toString('utf8');
}
