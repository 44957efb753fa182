import type { Socket } from 'node:net';
import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import type { ReaderWatch } from './door-state.ts';
import { cut } from './last-word.ts';
import { takenBytes } from './taken-bytes.ts';
import { unacknowledged } from './unacknowledged.ts';

/** How often clients that are behind are checked, in milliseconds. */
const LOOK_MS = 200;
/** How often, within the limit, the system is asked about clients that seem to take nothing. */
const ASKED_WITHIN_LIMIT = 4;

/** The amounts taken by this system and acknowledged by the client's, and the time they last grew. */
interface Progress {
  bytes: number;
  acknowledged: number | null;
  since: number;
}

/**
 * Clients with data that they have not taken. A client that takes nothing for longer than `limitMs` milliseconds
 * holds memory and a connection to Druid, so it is cut. One that takes anything is served, however slowly. All doors
 * share one instance.
 */
export class SlowReaders implements ReaderWatch {
  readonly #limitMs: number;
  readonly #now: () => number;
  readonly #errors: InternalErrors;
  readonly #behind = new Map<Socket, Progress>();
  #timer: NodeJS.Timeout | null = null;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking = false;

  /** `limitMs`: 0 is no limit. */
  constructor(limitMs: number, now: () => number, errors: InternalErrors) {
    this.#limitMs = limitMs;
    this.#now = now;
    this.#errors = errors;
  }

  watch(socket: Socket): void {
    if (this.#limitMs === 0 || this.#behind.has(socket)) return;
    this.#behind.set(socket, { bytes: takenBytes(socket), acknowledged: null, since: this.#now() });
    this.#timer ??= setInterval(() => this.#lookAtAll(), LOOK_MS);
  }

  #lookAtAll(): void {
    const now = this.#now();
    const pause = this.#limitMs / ASKED_WITHIN_LIMIT;
    const quiet: Socket[] = [];
    for (const [socket, progress] of this.#behind) {
      contain(
        () => this.#look(socket, progress, now),
        (error) => {
          this.#errors.report('client', error);
          socket.destroy();
        },
      );
      if (now - progress.since >= pause) quiet.push(socket);
    }
    if (quiet.length > 0 && !this.#asking && now - this.#askedAt >= pause) this.#ask(quiet, now);
    if (this.#behind.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #look(socket: Socket, progress: Progress, now: number): void {
    if (socket.destroyed || socket.writableLength === 0) {
      this.#behind.delete(socket);
      return;
    }
    const bytes = takenBytes(socket);
    if (bytes !== progress.bytes) {
      progress.bytes = bytes;
      progress.since = now;
    } else if (now - progress.since > this.#limitMs && !this.#asking) {
      this.#behind.delete(socket);
      cut(socket);
    }
  }

  #ask(quiet: readonly Socket[], now: number): void {
    this.#asking = true;
    this.#askedAt = now;
    unacknowledged(quiet)
      .then((queued) => {
        for (const [socket, bytes] of queued) {
          const progress = this.#behind.get(socket);
          if (progress === undefined) continue;
          const acknowledged = takenBytes(socket) - bytes;
          if (progress.acknowledged !== null && acknowledged !== progress.acknowledged) progress.since = now;
          progress.acknowledged = acknowledged;
        }
      })
      .catch((error) => this.#errors.report('client', error))
      .finally(() => {
        this.#asking = false;
      });
  }
}
