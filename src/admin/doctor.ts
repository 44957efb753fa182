import type { FastifyInstance } from 'fastify';
import type { Report } from '../doctor/examine.ts';
import type { Guard } from './guard.ts';

/** A report that is younger than this, in ms, is given again: an examination opens connections to every node. */
const FRESH_MS = 10_000;

/**
 * Registers `GET /doctor`: the report of an examination without credentials. One runs at a time, and all who ask
 * meanwhile, and for `FRESH_MS` after it, get the same.
 */
export function registerDoctor(
  app: FastifyInstance,
  examine: () => Promise<Report>,
  guard: Pick<Guard, 'read'>,
  /** Milliseconds that only go forward. */
  now: () => number = () => performance.now(),
): void {
  let latest: Promise<Report> | null = null;
  let ended = 0;
  let running = false;

  async function examineOnce(): Promise<Report> {
    running = true;
    try {
      return await examine();
    } catch (error) {
      latest = null;
      throw error;
    } finally {
      running = false;
      ended = now();
    }
  }

  app.get('/doctor', { onRequest: guard.read }, () => {
    if (latest === null || (!running && now() - ended >= FRESH_MS)) latest = examineOnce();
    return latest;
  });
}
