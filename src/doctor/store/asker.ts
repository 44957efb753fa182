import { parentPort, workerData } from 'node:worker_threads';
import type { StoreAddress } from './connect-store.ts';
import { askMysql } from './mysql.ts';
import { askPostgresql } from './postgresql.ts';
import type { StoreServerFacts } from './store-facts.ts';
import { problemOf } from './store-problem.ts';
import type { StoreTarget } from './store-target.ts';

/** What a thread is started with. */
export interface AskerData {
  readonly target: StoreTarget;
  readonly address: StoreAddress;
}

/** What a thread says, once. */
export type AskerAnswer = Pick<StoreServerFacts, 'state' | 'problem'>;

async function answer({ target, address }: AskerData): Promise<AskerAnswer> {
  try {
    const ask = target.kind === 'postgresql' ? askPostgresql : askMysql;
    return { state: await ask(target, address), problem: null };
  } catch (error) {
    return { state: null, problem: problemOf(error) };
  }
}

parentPort?.postMessage(await answer(workerData as AskerData));
