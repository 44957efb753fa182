import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { formatServer } from '../../net/connect-string.ts';
import type { AskerAnswer, AskerData } from './asker.ts';
import type { StoreAddress } from './connect-store.ts';
import type { StoreFacts, StoreKind, StoreServerFacts } from './store-facts.ts';
import type { StoreTarget } from './store-target.ts';

/** Time in ms in which a server has to answer all that it is asked. */
const ANSWER_MS = 8_000;
const ENTRY = new URL(`./asker${extname(import.meta.filename)}`, import.meta.url);
/** The package that speaks with each kind of server; an optional peer dependency. */
const DRIVERS: Readonly<Record<StoreKind, string>> = { postgresql: 'pg', mysql: 'mysql2' };

/** Returns the package that is needed to ask a kind of server, if it is not installed; null if it is. */
export function missingDriver(kind: StoreKind): string | null {
  const name = DRIVERS[kind];
  try {
    createRequire(import.meta.url).resolve(name);
    return null;
  } catch {
    return name;
  }
}

/**
 * Asks each server of a metadata store by itself, and changes nothing. Never rejects; resolves within `answerMs`, by
 * default 8 s. Each is asked in a thread of its own: a driver is not made for bytes of a stranger, and a thread can be
 * ended with all that it holds, has a heap of its own, and neither sees the environment nor prints.
 */
export async function askStore(target: StoreTarget, answerMs = ANSWER_MS): Promise<StoreFacts> {
  const askedAt = Date.now();
  const servers = await Promise.all(target.servers.map((address) => askServer(target, address, answerMs)));
  return { kind: target.kind, database: target.database, servers, askedAt };
}

function askServer(target: StoreTarget, address: StoreAddress, answerMs: number): Promise<StoreServerFacts> {
  const name = formatServer(address);
  const data: AskerData = { target, address };
  return new Promise((resolve) => {
    const thread = new Worker(ENTRY, {
      workerData: data,
      // What drivers would read of the environment (PGPASSWORD, PGSSLMODE), or print.
      env: {},
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: 128 },
    });
    thread.stdout.resume();
    thread.stderr.resume();
    const timer = setTimeout(
      () =>
        end({
          state: null,
          problem: { kind: 'silent', text: `has not answered all within ${answerMs / 1_000} s` },
        }),
      answerMs,
    );
    function end(answer: AskerAnswer): void {
      clearTimeout(timer);
      resolve({ name, ...answer });
      void thread.terminate();
    }
    const odd = (): void =>
      end({ state: null, problem: { kind: 'other', text: 'does not answer as such a server does' } });
    thread.once('message', end);
    thread.on('error', odd);
    thread.once('exit', odd);
  });
}
