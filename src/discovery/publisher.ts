import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import { type DiscoverySnapshot, EMPTY_SNAPSHOT, MASTER_ROLES, ROLES } from './discovery.ts';

/** What a source knows now. */
export interface Content {
  readonly latches: DiscoverySnapshot['latches'];
  readonly announcements: DiscoverySnapshot['announcements'];
  /** Epoch milliseconds when the part that was read longest ago was read; 0 before each has been read once. */
  readonly readAt: number;
}

/** Something of the content and its JSON. */
interface Part {
  readonly value: unknown;
  readonly text: string;
}

export interface PublisherOptions {
  /** Returns immutable latches and lists of announcements. */
  readonly content: () => Content;
  /** Called with each snapshot that differs from the one before. */
  readonly onSnapshot: (snapshot: DiscoverySnapshot) => void;
  /** Everything has been read again, and is as it was. */
  readonly onRead: () => void;
  /** Where internal errors are reported. */
  readonly errors: InternalErrors;
}

/** Makes snapshots of what a source knows. */
export class Publisher {
  readonly #options: PublisherOptions;
  #snapshot: DiscoverySnapshot = EMPTY_SNAPSHOT;
  /** The parts of the last snapshot, to detect changes. */
  #parts: readonly Part[] = [];
  #scheduled = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  get snapshot(): DiscoverySnapshot {
    return this.#snapshot;
  }

  /** Publishes one snapshot for everything read in one turn of the event loop. */
  publishSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      contain(
        () => this.publish(),
        (error) => this.#options.errors.report('discovery', error),
      );
    });
  }

  /** Publishes now what has changed. */
  publish(): void {
    const { onSnapshot, onRead, content } = this.#options;
    const { latches, announcements, readAt } = content();
    const complete = readAt > 0;
    const parts = this.#partsOf([
      complete,
      ...(latches === null ? [null] : MASTER_ROLES.map((role) => latches[role])),
      ...ROLES.map((role) => announcements[role]),
    ]);
    if (isSame(parts, this.#parts)) {
      const isNewer = readAt > this.#snapshot.readAt;
      this.#snapshot = { ...this.#snapshot, readAt };
      if (isNewer) onRead();
      return;
    }
    this.#parts = parts;
    const { version } = this.#snapshot;
    this.#snapshot = {
      version: version + 1,
      complete,
      latches: latches && { ...latches },
      announcements: { ...announcements },
      readAt,
    };
    onSnapshot(this.#snapshot);
  }

  /** A part is replaced as a whole, so the text of thousands of Brokers is made only if they were read. */
  #partsOf(values: readonly unknown[]): readonly Part[] {
    return values.map((value, i) => {
      const before = this.#parts[i];
      return before !== undefined && before.value === value ? before : { value, text: JSON.stringify(value) };
    });
  }
}

function isSame(parts: readonly Part[], others: readonly Part[]): boolean {
  return parts.length === others.length && parts.every(({ text }, i) => text === others[i]?.text);
}
