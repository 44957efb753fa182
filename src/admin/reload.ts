import type { FastifyInstance } from 'fastify';
import type { Guard } from './guard.ts';

/** What came of an attempt to take up a changed configuration. */
export type ReloadResult =
  | {
      readonly reloaded: true;
      /** Keys whose values are now in use. */
      readonly changed: readonly string[];
      /** Keys that have changed and are not in use before a restart. */
      readonly needsRestart: readonly string[];
    }
  | {
      readonly reloaded: false;
      /** One sentence each, without secrets. */
      readonly problems: readonly string[];
    };

/** Registers `POST /reload`. */
export function registerReload(
  app: FastifyInstance,
  guard: Pick<Guard, 'action'>,
  reload: () => Promise<ReloadResult>,
): void {
  app.post('/reload', { onRequest: guard.action }, async (_request, reply) => {
    const result = await reload();
    if (result.reloaded) return result;
    return reply.code(422).send({ error: 'configuration not reloaded', problems: result.problems });
  });
}
