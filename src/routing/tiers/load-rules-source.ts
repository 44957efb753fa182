import type { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Agent } from 'undici';
import type { Cluster } from '../../cluster/cluster.ts';
import type { NodeTls } from '../../cluster/node.ts';
import { ContainedEmitter, type InternalErrors } from '../../faults/internal-errors.ts';
import { createPoller, type Poller } from '../../time/poller.ts';
import { parseRulesInSteps, type RuleBook } from './load-rules.ts';

export interface RulesSourceOptions {
  readonly cluster: Pick<Cluster, 'view'>;
  readonly pollIntervalMs: number;
  /** For one question, connection and answer included. */
  readonly timeoutMs: number;
  /** The gateway's own: `RULES` needs a user who may read the state. */
  readonly auth: { readonly user: string; readonly password: string } | null;
  readonly tls?: NodeTls;
  /** Where errors of our own are told. */
  readonly errors: InternalErrors;
  readonly now: () => number;
  readonly random: () => number;
}

export interface RulesSourceEvents {
  /** Reading the rules begins to fail, in one sentence, or works again (null). */
  state: [string | null];
}

/** The Coordinator's load rules as they were last read; requests never wait for them. */
export interface RulesSource extends EventEmitter<RulesSourceEvents> {
  readonly book: RuleBook | null;
  /** Milliseconds since they were read, on the clock that was passed in; null before the first time. */
  readonly ageMs: number | null;
  start(): void;
  stop(): Promise<void>;
}

const RULES = '/druid/coordinator/v1/rules';
/** Rules of ten thousand datasources have some megabytes; what is read of them at once stops everything else. */
const LONGEST = 8 * 1024 * 1024;
/** As long as none have been read. */
const FIRST_INTERVAL_MS = 1_000;

/** Asks the serving leader, over a connection of its own; what was read last is kept while that fails. */
export function createRulesSource(options: RulesSourceOptions): RulesSource {
  return new PolledRules(options);
}

class PolledRules extends ContainedEmitter<RulesSourceEvents> implements RulesSource {
  readonly #options: RulesSourceOptions;
  readonly #agent: Agent;
  #poller: Poller | null = null;
  #fault: string | null = null;
  #readAt = 0;
  book: RuleBook | null = null;

  constructor(options: RulesSourceOptions) {
    super((error) => options.errors.report('discovery', error));
    this.#options = options;
    const { timeoutMs, tls } = options;
    this.#agent = new Agent({
      connections: 1,
      keepAliveTimeout: 1_000,
      // Whatever the node says.
      keepAliveMaxTimeout: 1_000,
      allowH2: false,
      connect: { ...tls, timeout: timeoutMs },
    });
  }

  get ageMs(): number | null {
    return this.book === null ? null : this.#options.now() - this.#readAt;
  }

  start(): void {
    const { pollIntervalMs, random, errors } = this.#options;
    this.#poller = createPoller({
      ask: () => this.#ask(),
      interval: () => (this.book === null ? Math.min(FIRST_INTERVAL_MS, pollIntervalMs) : pollIntervalMs),
      random,
      errors,
    });
  }

  async stop(): Promise<void> {
    this.#poller?.stop();
    await this.#agent.destroy();
  }

  async #ask(): Promise<void> {
    const leader = this.#options.cluster.view.leaders.coordinator;
    // Who leads is no concern of this one; there is nothing to ask as long as nobody does.
    if (leader.state !== 'serving') return;
    const fault = await this.#read(leader.node.origin);
    if (fault === this.#fault) return;
    this.#fault = fault;
    this.emit('state', fault);
  }

  async #read(origin: string): Promise<string | null> {
    const { timeoutMs, auth, now } = this.#options;
    const headers =
      auth === null
        ? {}
        : { authorization: `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString('base64')}` };
    let status: number;
    let text: string | null;
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const request = { origin, path: RULES, method: 'GET', headers, signal } as const;
      const { statusCode, body } = await this.#agent.request(request);
      status = statusCode;
      text = await whole(body);
    } catch {
      return 'the Coordinator did not answer in time';
    }
    if (status !== 200) return `the Coordinator answered ${status}`;
    if (text === null) return 'the load rules of the Coordinator have more than 8 MiB';
    const book = await inTurns(parseRulesInSteps(parsed(text)));
    if (book === null) return 'the Coordinator answered with something other than load rules';
    this.#readAt = now();
    this.book = book;
    return null;
  }
}

/** Requests come in between. */
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

/** Null for more than is read. */
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
