import { CODE } from '../discovery/zookeeper/connection.ts';
import { ReadError } from '../discovery/zookeeper/session.ts';

/** Resolves to the answer, or to why ZooKeeper did not give it. Rejects if the connection is lost. */
export async function unless<T>(answer: Promise<T>): Promise<T | 'absent' | 'refused'> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    if (error.code === CODE.NO_NODE) return 'absent';
    if (error.code === CODE.NO_AUTH) return 'refused';
    throw error;
  }
}

/** Watches are of no use to a single reading, but the session asks for a watcher. */
export function ignore(): void {}
