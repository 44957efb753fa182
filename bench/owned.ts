import type { ManagedProcess } from '../tools/druid-cluster/managed-process.ts';

/** Processes that end with this one, each by its id, however this one ends. */
export interface Owned {
  readonly own: (process: ManagedProcess) => void;
  /** Ends the last ones first: those in front before what is behind them. */
  close(): Promise<void>;
}

const GRACE_MS = 3_000;

export function createOwned(): Owned {
  const owned: ManagedProcess[] = [];
  const killAll = (): void => {
    for (const one of owned) one.kill('SIGKILL');
  };
  process.once('exit', killAll);
  return {
    own(one) {
      owned.push(one);
    },
    async close() {
      process.off('exit', killAll);
      for (const one of owned.toReversed()) await one.stop(GRACE_MS);
    },
  };
}
