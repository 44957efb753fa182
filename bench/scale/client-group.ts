import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { usage } from '../proc.ts';
import type { Command, Expectation, Figures, Report } from './client-messages.ts';

const PROGRAM = fileURLToPath(new URL('clients.ts', import.meta.url));
/** More of them in one process would be told of an event so late that the process is what is measured. */
const MOST_IN_ONE = 500;
/** So many are started at once. */
const WAVE = 100;
const LONGEST_MS = 300_000;

export interface Target {
  readonly connect: string;
  readonly basePath: string;
  readonly spreadMs?: number;
}

/** What all clients together have used and moved since their start. */
export interface GroupFigures extends Figures {
  readonly cpuUs: number;
  readonly rssBytes: number;
}

/** Clients of discovery in few processes. */
export interface ClientGroup {
  readonly count: number;
  /** Adds clients and resolves when each knows so many Brokers. */
  grow(count: number, brokers: number): Promise<void>;
  /** Resolves when all wait for it; `known` of that when all know, with the times in epoch milliseconds. */
  expect(expectation: Expectation): Promise<{ readonly known: Promise<readonly number[]> }>;
  figures(): Promise<GroupFigures>;
  close(): Promise<void>;
}

export function createClientGroup(target: Target, signal: AbortSignal): ClientGroup {
  const members: Member[] = [];
  const all = <T>(ask: (member: Member) => Promise<T>): Promise<T[]> => Promise.all(members.map(ask));

  const group: ClientGroup = {
    get count() {
      return members.reduce((sum, { count }) => sum + count, 0);
    },
    async grow(count, brokers) {
      for (let left = count; left > 0; ) {
        signal.throwIfAborted();
        let last = members.at(-1);
        if (last === undefined || last.count >= MOST_IN_ONE) {
          last = new Member();
          members.push(last);
        }
        const here = Math.min(left, WAVE, MOST_IN_ONE - last.count);
        last.open(here, target);
        left -= here;
        const { known } = await group.expect({ of: 'brokers', count: brokers });
        await known;
      }
    },
    async expect(expectation) {
      const waiting = await all((member) => member.expect(expectation));
      return { known: Promise.all(waiting.map(({ known }) => known)).then((times) => times.flat()) };
    },
    async figures() {
      const each = await all((member) => member.figures());
      const sum = (of: (figures: GroupFigures) => number): number =>
        each.reduce((total, figures) => total + of(figures), 0);
      return {
        bytesIn: sum(({ bytesIn }) => bytesIn),
        bytesOut: sum(({ bytesOut }) => bytesOut),
        snapshots: sum(({ snapshots }) => snapshots),
        faults: sum(({ faults }) => faults),
        disconnects: sum(({ disconnects }) => disconnects),
        cpuUs: sum(({ cpuUs }) => cpuUs),
        rssBytes: sum(({ rssBytes }) => rssBytes),
      };
    },
    async close() {
      await all((member) => member.close());
    },
  };
  return group;
}

class Member {
  count = 0;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor() {
    this.#child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    // An expectation, and a report beside it.
    this.#child.setMaxListeners(20);
    const kill = (): void => void this.#child.kill('SIGKILL');
    process.once('exit', kill);
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', () => {
        process.off('exit', kill);
        resolve();
      });
    });
  }

  open(count: number, target: Target): void {
    this.count += count;
    this.#send({ do: 'open', count, ...target });
  }

  async expect(expectation: Expectation): Promise<{ readonly known: Promise<readonly number[]> }> {
    const waits = this.#report('waits');
    const known = this.#report('known').then(({ times }) => times);
    // Whoever gave up waiting for the first is not told of the second.
    known.catch(() => {});
    this.#send({ do: 'expect', expectation });
    await waits;
    return { known };
  }

  async figures(): Promise<GroupFigures> {
    const report = this.#report('figures');
    this.#send({ do: 'report' });
    return { ...(await report), ...(await usage(this.#child.pid ?? 0)) };
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #send(command: Command): void {
    this.#child.send(command);
  }

  #report<K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#child.off('message', look);
        this.#child.off('exit', gone);
      };
      const look = (message: unknown): void => {
        const report = message as Report;
        if (report.kind !== kind) return;
        done();
        resolve(report as Extract<Report, { kind: K }>);
      };
      const gone = (): void => {
        done();
        reject(new Error('a process of clients ended'));
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`no "${kind}" of a process of clients within ${LONGEST_MS / 1_000} s`));
      }, LONGEST_MS);
      this.#child.on('message', look);
      this.#child.once('exit', gone);
    });
  }
}
