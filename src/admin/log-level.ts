import type { FastifyInstance } from 'fastify';
import { LOG_LEVELS, type LogLevel } from '../config/log-levels.ts';
import type { Guard } from './guard.ts';

/** The level of the gateway's log, in all its processes. */
export interface LogLevelControl {
  get(): string;
  /** Holds until the gateway ends. */
  set(level: LogLevel): void;
}

/** Registers `GET /log-level`, and `PUT /log-level` with a body such as `{"level": "debug"}`. */
export function registerLogLevel(
  app: FastifyInstance,
  guard: Pick<Guard, 'action' | 'read'>,
  control: LogLevelControl,
): void {
  app.get('/log-level', { onRequest: guard.read }, async () => ({ level: control.get() }));
  app.put('/log-level', { onRequest: guard.action }, (request, reply) => {
    const level = (request.body as { level?: unknown } | null | undefined)?.level;
    const wanted = LOG_LEVELS.find((known) => known === level);
    if (wanted === undefined) {
      return reply.code(400).send({
        error: `expected application/json such as {"level":"debug"}; levels are ${LOG_LEVELS.join(', ')}`,
      });
    }
    const was = control.get();
    control.set(wanted);
    return reply.send({ level: wanted, was });
  });
}
