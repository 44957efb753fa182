import { MASTER_ROLES, type MasterRole } from '../../discovery/discovery.ts';
import { ApiError } from '../../discovery/http-api.ts';
import type { InternalErrors } from '../../faults/internal-errors.ts';
import { type Backoff, createBackoff } from '../../time/backoff.ts';
import { Nap } from '../../time/nap.ts';
import type { Addresses } from '../addresses.ts';
import type { FeedLog } from '../feed-log.ts';
import type { PublishedView } from '../published-view.ts';
import { reachedAt, type SharedView } from '../shared-view.ts';
import { type Candidacy, Elector, type ElectorTimes } from './elector.ts';
import type { ApiObjects } from './objects.ts';
import { RoleSlices } from './role-slices.ts';
import { endpointAddress, type WantedEndpoint } from './slices.ts';

export interface KubernetesFeedOptions extends ElectorTimes {
  readonly published: PublishedView;
  /** Services without a selector, by the role whose leader they lead to. */
  readonly services: Readonly<Partial<Record<MasterRole, string | undefined>>>;
  /** The name of their port; empty where it has none. */
  readonly portName: string;
  readonly objects: ApiObjects;
  /** The name of the Lease. */
  readonly lease: string;
  /** Of this process, for others to read; another one for each. */
  readonly identity: string;
  /** How long nobody must serve before the Service has no endpoint, in ms. */
  readonly emptyAfterMs: number;
  /** How often the slices are read, in ms. */
  readonly intervalMs: number;
  readonly addresses: Addresses;
  /** Hosts that may lead next: their names are resolved before they do. */
  readonly candidates: () => Iterable<string>;
  readonly logger: FeedLog;
  readonly errors: InternalErrors;
}

/** What has become of the feed, for metrics. */
export interface KubernetesFeedCounts {
  /** The last attempt at the Lease was answered and, where this gateway holds it, the slices are as the view says. */
  readonly up: boolean;
  /** Whether this gateway holds the Lease. */
  readonly holder: boolean;
  /** Slices written since the start. */
  readonly writes: number;
}

/** Longest delay after an error of the API, in ms, unless the server asks for a longer one. */
const LONGEST_DELAY_MS = 5_000;
/** Longest time of a request, in ms. */
const REQUEST_MS = 5_000;

/** One role whose leader is written. */
interface Target {
  readonly role: MasterRole;
  readonly slices: RoleSlices;
  readonly backoff: Backoff;
  lookAt: number;
  /** Not before then, after an error. */
  retryAt: number;
  /** Since when nobody serves; null while somebody does. */
  noneSince: number | null;
  changed: boolean;
  readonly nap: Nap;
  /** Under way; it never rejects. */
  pass: Promise<void>;
}

/**
 * Writes the leaders into EndpointSlices (discovery.k8s.io/v1) of Services without a selector, so that whatever follows
 * Services in Kubernetes follows the leaders. Of several gateways one writes, the one that holds the Lease. A change is
 * written at once, on the version that was last stored; what is there is read at each interval and put right.
 */
export class KubernetesFeed {
  readonly #options: KubernetesFeedOptions;
  readonly #elector: Elector;
  readonly #targets: readonly Target[];
  readonly #faults = new Map<'lease' | MasterRole, string>();
  #loops: Promise<unknown> = Promise.resolve();
  #stopListening: () => void = () => {};
  #ends = new AbortController();
  #stopped = true;
  #said = '';
  #up = false;
  #writes = 0;
  #candidacy: Candidacy = 'yield';
  #sayHolder = '';

  constructor(options: KubernetesFeedOptions) {
    this.#options = options;
    const { published, objects, services, portName, errors, lease, leaseMs, renewMs, retryMs } = options;
    this.#elector = new Elector({
      objects,
      lease,
      identity: options.identity,
      leaseMs,
      renewMs,
      retryMs,
      candidacy: () => (this.#stopped ? 'yield' : candidacyOf(published.current)),
      quiet: async () => {
        await Promise.all(this.#targets.map(({ pass }) => pass));
      },
      onChange: () => this.#onHolder(),
      onAttempt: (problem) => this.#onAttempt(problem),
      errors,
    });
    this.#targets = MASTER_ROLES.flatMap((role): Target[] => {
      const service = services[role];
      if (service === undefined) return [];
      const slices = new RoleSlices({
        objects,
        service,
        portName,
        mayWriteMs: () => this.#mayWriteMs,
        confirm: async () => (await this.#elector.confirm()) && this.#mayWriteMs > 0,
        writer: () => this.#elector.term,
        onWritten: (slice, wanted) => this.#onWritten(slice, wanted),
        requestMs: Math.min(REQUEST_MS, renewMs / 2),
      });
      const backoff = createBackoff({ servers: 0, random: Math.random, capMs: LONGEST_DELAY_MS });
      const times = { lookAt: 0, retryAt: 0, noneSince: null, changed: false };
      return [{ role, slices, backoff, ...times, nap: new Nap(), pass: Promise.resolve() }];
    });
  }

  get counts(): KubernetesFeedCounts {
    return { up: this.#up, holder: this.#elector.heldForMs > 0, writes: this.#writes };
  }

  /** Begins. The API need not be reachable yet. */
  start(): void {
    this.#stopped = false;
    const { published } = this.#options;
    this.#stopListening = published.onChange((view) => {
      const candidacy = candidacyOf(view);
      if (candidacy !== this.#candidacy) this.#elector.look();
      this.#candidacy = candidacy;
      this.#wakeAll();
    });
    this.#candidacy = candidacyOf(published.current);
    this.#elector.start();
    this.#loops = Promise.all(this.#targets.map((target) => this.#run(target)));
  }

  /**
   * Ends, and gives the Lease back, so that another gateway goes on at once. The slices stay as they are. Resolves
   * within some seconds, whether or not the API can be reached.
   */
  async close(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stopListening();
    this.#ends.abort();
    this.#wakeAll();
    await this.#loops;
    await this.#elector.stop();
  }

  get #mayWriteMs(): number {
    return this.#stopped || candidacyOf(this.#options.published.current) === 'yield'
      ? 0
      : this.#elector.heldForMs;
  }

  async #run(target: Target): Promise<void> {
    while (!this.#stopped) {
      target.changed = false;
      const { promise, resolve } = Promise.withResolvers<void>();
      target.pass = promise;
      let delay = this.#options.intervalMs;
      try {
        delay = await this.#passed(target);
      } catch (error) {
        this.#options.errors.report('admin', error);
      } finally {
        resolve();
      }
      if (!target.changed && !this.#stopped) await target.nap.sleep(delay);
    }
  }

  /** Brings about what the view says. Returns when to look again, in ms. */
  async #passed(target: Target): Promise<number> {
    const { published, intervalMs, addresses, candidates } = this.#options;
    const view = published.current;
    const nothing = view.leaders[target.role].state !== 'serving';
    if (!nothing) target.noneSince = null;
    else target.noneSince ??= performance.now();
    if (this.#mayWriteMs === 0) return intervalMs;
    const wait = target.retryAt - performance.now();
    if (wait > 0) return wait;
    const settling = nothing ? this.#emptyIn(target) : 0;
    if (settling > 0) return settling;
    try {
      const wanted = nothing ? null : await this.#wanted(view, target.role);
      // A name took its time, and something else is true meanwhile.
      if (target.changed) return 0;
      const look = performance.now() >= target.lookAt;
      if (look) void addresses.know(candidates());
      const settled = await target.slices.settle(wanted?.endpoint ?? null, look, this.#ends.signal);
      if (!settled) return 0;
      if (look) target.lookAt = performance.now() + intervalMs;
      target.backoff.ended(Number.POSITIVE_INFINITY);
      this.#tell(target.role, wanted?.fault ?? '');
      return Math.max(1, target.lookAt - performance.now());
    } catch (error) {
      if (this.#stopped) return 0;
      return this.#failed(target, error);
    }
  }

  /** For how long the former leader still stays, in ms: most doubts are over at once, and each would be two writes. */
  #emptyIn({ noneSince }: Target): number {
    const since = noneSince ?? performance.now();
    return since + this.#options.emptyAfterMs - performance.now();
  }

  #failed(target: Target, error: unknown): number {
    target.backoff.ended(0);
    const cause = error instanceof Error ? error.cause : null;
    const asked = cause instanceof ApiError ? cause.retryAfterMs : 0;
    const delay = Math.max(asked, target.backoff.delay());
    target.retryAt = performance.now() + delay;
    this.#tell(target.role, `${error instanceof Error ? error.message : String(error)}${hint(cause)}`);
    return delay;
  }

  /** The endpoint of a leader that serves; null, and why, if it has no address that Kubernetes takes. */
  async #wanted(
    view: SharedView,
    role: MasterRole,
  ): Promise<{ endpoint: WantedEndpoint | null; fault: string }> {
    const { addresses } = this.#options;
    const leader = view.leaders[role];
    if (leader.node === null) return { endpoint: null, fault: '' };
    const { node, port, scheme } = leader;
    const at = reachedAt(leader);
    await addresses.know([at]);
    const ip = addresses.of(at);
    if (ip === null) return { endpoint: null, fault: `the host of ${node} cannot be resolved` };
    const taken = endpointAddress(ip);
    if (taken === null) {
      return { endpoint: null, fault: `${node} is at ${ip}, which Kubernetes takes for no endpoint` };
    }
    return { endpoint: { ...taken, port, scheme }, fault: '' };
  }

  #wakeAll(): void {
    for (const target of this.#targets) {
      target.changed = true;
      target.nap.wake();
    }
  }

  #onHolder(): void {
    const { logger, lease } = this.#options;
    const holds = this.#elector.heldForMs > 0;
    if (holds) {
      for (const target of this.#targets) {
        target.slices.forget();
        target.lookAt = 0;
        target.retryAt = 0;
      }
    } else {
      for (const { role } of this.#targets) this.#faults.delete(role);
      this.#say();
    }
    const said = holds ? 'this' : this.#elector.holder;
    if (said !== this.#sayHolder) {
      this.#sayHolder = said;
      if (holds) logger.info({ lease }, 'this gateway writes the EndpointSlices');
      else if (said !== '') logger.info({ lease, holder: said }, 'another gateway writes the EndpointSlices');
      else logger.info({ lease }, 'no gateway is known to write the EndpointSlices');
    }
    this.#wakeAll();
  }

  #onAttempt(problem: string | null): void {
    const name = `Lease ${this.#options.lease}`;
    this.#tell('lease', problem === null ? '' : `${name}: the API server ${problem}${hintOf(problem)}`);
  }

  #onWritten(slice: string, wanted: WantedEndpoint | null): void {
    this.#writes++;
    const endpoint = wanted === null ? null : { address: wanted.address, port: wanted.port };
    this.#options.logger.info({ slice, ...(endpoint ?? {}) }, 'EndpointSlice written');
  }

  #tell(part: 'lease' | MasterRole, fault: string): void {
    if (fault === '') this.#faults.delete(part);
    else this.#faults.set(part, fault);
    this.#say();
  }

  /** Says once what is wrong, and once that it is well again. */
  #say(): void {
    const { logger } = this.#options;
    const parts = ['lease', ...MASTER_ROLES] as const;
    const faults = parts.map((part) => this.#faults.get(part) ?? '').filter((text) => text !== '');
    // Of several one is said, as long as it lasts.
    const fault = faults.includes(this.#said) ? this.#said : (faults[0] ?? '');
    this.#up = fault === '';
    if (fault === this.#said) return;
    if (fault !== '') logger.warn({ why: fault }, 'EndpointSlices are not as the view says');
    else logger.info({}, 'EndpointSlices are as the view says');
    this.#said = fault;
  }
}

/**
 * Who knows nothing, or is about to end, leaves the Lease to others. Who has lost sight of its source gives it to one
 * that has not, and does not take it.
 */
function candidacyOf({ complete, draining, discovery: { state } }: SharedView): Candidacy {
  if (!complete || draining || state === 'lost' || state === 'closed') return 'yield';
  return state === 'connected' ? 'take' : 'keep';
}

function hint(cause: unknown): string {
  return cause instanceof ApiError && cause.status === 403 ? RIGHTS : '';
}

function hintOf(problem: string): string {
  return problem.startsWith('answered 403') ? RIGHTS : '';
}

const RIGHTS = ' (docs/view.md says which rights are needed)';
