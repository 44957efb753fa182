import type { Logger } from 'pino';
import type { Cluster } from '../../cluster/cluster.ts';
import type { ClusterView, LeaderView } from '../../cluster/view.ts';
import { MASTER_ROLES, type MasterRole } from '../../discovery/discovery.ts';
import type { LeaderWaits } from '../../exchange/leader-waits.ts';
import { ContainedEmitter, contain, type InternalErrors } from '../../faults/internal-errors.ts';
import { readHistory, setAside, writeHistory } from './history-file.ts';
import type { Term } from './term.ts';
import { Terms } from './terms.ts';

export interface HistoryOptions {
  readonly cluster: Cluster;
  /** Where the record is kept over restarts; null keeps it in memory only. Its folder must exist. */
  readonly file: string | null;
  /** Name of the cluster, as it is written; the record of another cluster is not used. */
  readonly clusterName: () => string;
  readonly logger: Pick<Logger, 'warn'>;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** The body of `GET /history`. */
export interface HistoryBody {
  /** ISO time at which the record began. */
  readonly since: string;
  /** The oldest first. */
  readonly terms: readonly Term[];
}

/** Delay before a change is written, in ms, so changes that follow are written with it. */
const SETTLE_MS = 500;
/** Interval between writes without changes, in ms: after a crash the last term ends at the last write. */
const REFRESH_MS = 60_000;

/** The record of who led and when. It follows the cluster's views and decides nothing. */
export class History {
  readonly #options: HistoryOptions;
  readonly #now: () => number;
  readonly #news: ContainedEmitter<{ term: [Term] }>;
  readonly #onView = (view: ClusterView): void => this.#follow(view);
  readonly #seen: Partial<Record<MasterRole, LeaderView>> = {};
  #since: string;
  #terms = new Terms();
  #timer: NodeJS.Timeout | null = null;
  #changed = false;
  #writing: Promise<void> = Promise.resolve();
  #fault = '';
  #writtenAt = 0;
  readonly #waits: Record<MasterRole, { waited: number; failed: number }> = {
    coordinator: { waited: 0, failed: 0 },
    overlord: { waited: 0, failed: 0 },
  };

  constructor(options: HistoryOptions) {
    const { now = Date.now, errors } = options;
    this.#options = options;
    this.#now = now;
    this.#since = new Date(now()).toISOString();
    this.#news = new ContainedEmitter((error) => errors.report('admin', error));
  }

  /** Reads the file and begins to follow the cluster. A file that cannot be used is logged and set aside. */
  start(): void {
    const { cluster, file } = this.#options;
    if (file !== null) this.#read(file);
    cluster.on('view', this.#onView);
    this.#follow(cluster.view);
    if (file !== null) this.#writeIn(REFRESH_MS);
  }

  /** Stops following and writes the file once more. */
  async close(): Promise<void> {
    this.#options.cluster.off('view', this.#onView);
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#write();
    await this.#writing;
  }

  get body(): HistoryBody {
    return { since: this.#since, terms: this.#terms.all };
  }

  /** Calls the listener with each term that begins or ends. Returns a function that stops this. */
  onTerm(listener: (term: Term) => void): () => void {
    this.#news.on('term', listener);
    return () => void this.#news.off('term', listener);
  }

  /** Number of terms that are kept. */
  kept(role: MasterRole): number {
    return this.#terms.kept(role);
  }

  /** Requests that waited for a leader and have ended, since the start; also those of no term. */
  waits(role: MasterRole): { readonly waited: number; readonly failed: number } {
    return this.#waits[role];
  }

  /** Whether the last write of the file succeeded; true before the first, and where there is no file. */
  get written(): boolean {
    return this.#fault === '';
  }

  /** When the file was last written by this process, in epoch ms; 0 if it has not been. */
  get writtenAt(): number {
    return this.#writtenAt;
  }

  /** Adds requests that waited for a leader, once they have ended. */
  count(waits: LeaderWaits): void {
    const sum = this.#waits[waits.role];
    sum.waited += waits.waited;
    sum.failed += waits.failed;
    this.#terms.count(waits);
    this.#writeSoon();
  }

  #follow({ leaders }: ClusterView): void {
    for (const role of MASTER_ROLES) {
      if (this.#seen[role] === leaders[role]) continue;
      this.#seen[role] = leaders[role];
      const changed = this.#terms.observe(leaders[role]);
      for (const term of changed) this.#news.emit('term', term);
      if (changed.length > 0) this.#writeSoon();
    }
  }

  #read(file: string): void {
    const { clusterName, logger } = this.#options;
    const read = readHistory(file, clusterName());
    if (read.kind === 'history') {
      const { since, writtenAt, terms } = read.history;
      this.#since = since;
      // What came after the last write is not known.
      this.#terms = new Terms(terms.map((term) => ({ ...term, to: term.to ?? writtenAt })));
    } else if (read.kind === 'unusable') {
      logger.warn(
        { file, why: read.why, setAside: setAside(file) },
        'the history is not used; a new one begins',
      );
    }
  }

  #writeSoon(): void {
    if (this.#timer === null || this.#changed) return;
    this.#changed = true;
    this.#writeIn(SETTLE_MS);
  }

  #writeIn(delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#changed = false;
      contain(
        () => this.#write(),
        (error) => this.#options.errors.report('admin', error),
      );
      this.#writeIn(REFRESH_MS);
    }, delayMs).unref();
  }

  #write(): void {
    const { file, clusterName, logger } = this.#options;
    if (file === null) return;
    const at = this.#now();
    const history = { cluster: clusterName(), ...this.body, writtenAt: new Date(at).toISOString() };
    this.#writing = this.#writing
      .then(() => writeHistory(file, history))
      .then(
        () => {
          this.#fault = '';
          this.#writtenAt = at;
        },
        (error: NodeJS.ErrnoException) => {
          const why = error.code ?? error.message;
          if (why !== this.#fault) logger.warn({ file, why }, 'the history cannot be written');
          this.#fault = why;
        },
      );
  }
}
