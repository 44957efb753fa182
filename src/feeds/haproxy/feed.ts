import { MASTER_ROLES, type MasterRole } from '../../discovery/discovery.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import { Nap } from '../../time/nap.ts';
import type { Addresses } from '../addresses.ts';
import type { FeedLog } from '../feed-log.ts';
import type { PublishedView } from '../published-view.ts';
import { reachedAt, type SharedBroker, type SharedView } from '../shared-view.ts';
import { linesOf, type Place, planBrokers, planLeader, serverName, type WantedServer } from './plan.ts';
import { parseServers, type ServerState, saidBy } from './servers.ts';

/** The backends of HAProxy that are driven. */
export interface HaproxyBackends {
  readonly coordinator?: string | undefined;
  readonly overlord?: string | undefined;
  /** For the Brokers of a service each. */
  readonly brokers: readonly { readonly service: string; readonly backend: string }[];
}

export interface HaproxyFeedOptions {
  readonly published: PublishedView;
  readonly backends: HaproxyBackends;
  /** Words of `add server` besides address and weight. */
  readonly serverOptions: string;
  /** How often HAProxy is asked what it has, in ms. */
  readonly intervalMs: number;
  /** Writes a line to HAProxy's runtime socket and resolves to the answer. Rejects with an Error of one sentence. */
  readonly ask: (line: string) => Promise<string>;
  readonly addresses: Addresses;
  /** Hosts that may lead next: their names are resolved before they do. */
  readonly candidates: () => Iterable<string>;
  readonly logger: FeedLog;
  readonly errors: InternalErrors;
}

/** What has become of the feed, for metrics. */
export interface HaproxyFeedCounts {
  /** Whether the last look at HAProxy found or made everything as it is wanted. */
  readonly up: boolean;
  /** Commands written since the start. */
  readonly commands: number;
}

/** One backend that is driven. */
interface Target {
  readonly backend: string;
  readonly role: MasterRole | null;
  /** Of Brokers; empty for a leader. */
  readonly service: string;
  /** What was last brought about; null if that is not known. */
  done: string | null;
}

/**
 * Drives servers of a running HAProxy by its runtime socket, so that they are what the view says. HAProxy forgets all of it
 * in a reload or a restart, and others may change it, so it is asked at each interval what it has, and always before
 * it is told something. No command is taken for done because it was written.
 */
export class HaproxyFeed {
  readonly #options: HaproxyFeedOptions;
  readonly #targets: readonly Target[];
  #stopListening: () => void = () => {};
  #loop: Promise<void> = Promise.resolve();
  readonly #nap = new Nap();
  #changed = false;
  #stopped = true;
  #fault = '';
  #up = false;
  #commands = 0;

  constructor(options: HaproxyFeedOptions) {
    this.#options = options;
    const { backends } = options;
    this.#targets = [
      // Leaders first: a swap must not wait for a thousand Brokers.
      ...MASTER_ROLES.flatMap((role) => {
        const backend = backends[role];
        return backend === undefined ? [] : [{ backend, role, service: '', done: null }];
      }),
      ...backends.brokers.map(({ backend, service }) => ({ backend, role: null, service, done: null })),
    ];
  }

  get counts(): HaproxyFeedCounts {
    return { up: this.#up, commands: this.#commands };
  }

  /** Begins. HAProxy need not be there yet. */
  start(): void {
    this.#stopped = false;
    this.#stopListening = this.#options.published.onChange(() => {
      this.#changed = true;
      this.#nap.wake();
    });
    this.#loop = this.#run();
  }

  /** Ends, and leaves HAProxy as it is: it serves on with the last nodes that were known. */
  async close(): Promise<void> {
    this.#stopped = true;
    this.#stopListening();
    this.#nap.wake();
    await this.#loop;
  }

  async #run(): Promise<void> {
    let lookAt = 0;
    while (!this.#stopped) {
      const due = performance.now() >= lookAt;
      this.#changed = false;
      try {
        const view = this.#options.published.current;
        // Before discovery is complete, nobody knows whether there are no nodes.
        if (view.complete) await this.#bringAbout(view, due);
        if (due) void this.#options.addresses.know(this.#options.candidates());
      } catch (error) {
        this.#options.errors.report('admin', error);
      }
      if (due) lookAt = performance.now() + this.#options.intervalMs;
      if (!this.#changed && !this.#stopped) await this.#nap.sleep(lookAt - performance.now());
    }
  }

  /** Brings about what the view says, of all backends or of those for which it says something new. */
  async #bringAbout(view: SharedView, all: boolean): Promise<void> {
    let fault = '';
    for (const target of this.#targets) {
      // A leader that has changed meanwhile comes first.
      if (this.#changed && target.role === null) return;
      try {
        const wanted = await this.#wanted(view, target);
        const key = JSON.stringify(wanted);
        if (!all && key === target.done) continue;
        target.done = null;
        const settled = await this.#settle(target, wanted);
        if (settled) target.done = key;
      } catch (error) {
        fault ||= `backend ${target.backend}: ${error instanceof Error ? error.message : String(error)}`;
      }
    }
    if (all || fault !== '') this.#tell(fault);
  }

  /** Asks HAProxy what it has, and tells it what to change. Returns whether there was nothing to change. */
  async #settle(target: Target, wanted: readonly WantedServer[]): Promise<boolean> {
    const { ask, serverOptions } = this.#options;
    const { backend, role } = target;
    const servers = parseServers(await ask(`show servers state ${backend}`));
    const commands =
      role === null
        ? planBrokers(backend, servers, wanted, serverOptions)
        : planLeader(backend, servers, placeOf(wanted[0]));
    let refusal: string | null = null;
    for (const line of linesOf(commands)) refusal ??= refusalIn(await ask(line));
    this.#commands += commands.length;
    // One server that is refused does not keep the others from being told.
    if (refusal !== null) throw new Error(`HAProxy says: ${refusal}`);
    const lost = wanted.find(({ address }) => address === null);
    if (lost !== undefined) throw new Error(`the host of ${lost.name} cannot be resolved`);
    return commands.length === 0;
  }

  async #wanted(view: SharedView, { role, service }: Target): Promise<readonly WantedServer[]> {
    const { addresses } = this.#options;
    if (role !== null) {
      const leader = view.leaders[role];
      if (leader.state !== 'serving' || leader.node === null) return [];
      const { node: name, port } = leader;
      const place = reachedAt(leader);
      await addresses.know([place]);
      return [{ name, address: addresses.of(place), port, weight: 100, state: 'ready' }];
    }
    const brokers = view.brokers.filter((broker) => broker.service === service);
    await addresses.know(brokers.map(reachedAt));
    return brokers.map((broker) => ({
      name: serverName(broker.node),
      address: addresses.of(reachedAt(broker)),
      port: broker.port,
      weight: Math.max(1, broker.weight),
      state: stateOf(broker),
    }));
  }

  /** Says once what is wrong, and once that it is well again. */
  #tell(fault: string): void {
    const { logger } = this.#options;
    this.#up = fault === '';
    if (fault === this.#fault) return;
    if (fault !== '') logger.warn({ why: fault }, 'HAProxy is not as the view says');
    else logger.info({}, 'HAProxy is as the view says');
    this.#fault = fault;
  }
}

/** A leader whose host cannot be resolved is nowhere: the former one must not stay in its place. */
function placeOf(leader: WantedServer | undefined): Place | null {
  const address = leader?.address ?? null;
  return leader === undefined || address === null ? null : { address, port: leader.port };
}

function stateOf({ state }: SharedBroker): ServerState {
  if (state === 'ready') return 'ready';
  return state === 'cordoned' ? 'drain' : 'maint';
}

/** What HAProxy says besides that it did something; null if there is no such line. */
function refusalIn(answer: string): string | null {
  for (const line of answer.split('\n')) {
    const said = line.trim();
    // What it says of changes that are made, or are not needed; and a server with connections is deleted later.
    if (
      said === '' ||
      /^(?:IP changed|port changed|no need to change|New server registered|Server deleted)/i.test(said)
    )
      continue;
    if (/still has connections/i.test(said)) continue;
    return saidBy(said);
  }
  return null;
}
