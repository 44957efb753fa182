import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Cluster } from '../cluster/cluster.ts';
import { parseDuration } from '../config/units.ts';
import { parseNodeAddress } from '../net/origin.ts';
import { createGuard, type Guard } from './guard.ts';

type Action = 'cordon' | 'drain' | 'return';
interface ActionRoute {
  Params: { node: string; action: string };
  Querystring: { timeout?: string | string[] };
}

const ACTIONS: readonly string[] = ['cordon', 'drain', 'return'];
const DEFAULT_TIMEOUT_MS = 60_000;
const LOOK_MS = 25;

/**
 * Registers `POST /brokers/HOST:PORT/cordon`, `drain` and `return`. `cordon` takes a Broker out of the pool,
 * `drain` also waits until its requests have ended, `return` puts it back. Running requests continue, and cancels
 * still reach them.
 */
export function registerBrokerActions(
  app: FastifyInstance,
  cluster: Cluster,
  /** Updates `outstanding`; false if that failed. */
  refresh: () => Promise<boolean> = async () => true,
  guard: Pick<Guard, 'action'> = createGuard(),
): void {
  app.post<ActionRoute>('/brokers/:node/:action', { onRequest: guard.action }, (request, reply) =>
    act(request, reply, cluster, refresh),
  );
}

async function act(
  request: FastifyRequest<ActionRoute>,
  reply: FastifyReply,
  cluster: Cluster,
  refresh: () => Promise<boolean>,
): Promise<FastifyReply> {
  const { node, action } = request.params;
  const name = parseNodeAddress(node) ?? node;
  if (!ACTIONS.includes(action)) {
    return reply.code(404).send({ error: `no such action: ${ACTIONS.join(', ')}` });
  }
  // A parameter given twice has a list of values.
  const timeout = parseDuration(String(request.query.timeout ?? DEFAULT_TIMEOUT_MS));
  if (timeout === null) {
    return reply.code(400).send({ error: 'timeout is no duration such as 500ms, 30s or 5m' });
  }
  const broker = cluster.view.brokers.find(({ node }) => node.hostAndPort === name);
  if (broker === undefined && !(action === 'return' && cluster.view.cordoned.has(name))) {
    const brokers = cluster.view.brokers.map(({ node }) => node.hostAndPort);
    return reply.code(404).send({ error: 'no such Broker', brokers });
  }
  const isIdle = async (): Promise<boolean> => (await refresh()) && (broker?.node.outstanding ?? 0) === 0;
  cluster.cordon(name, (action as Action) !== 'return');
  if (action === 'drain' && broker !== undefined) {
    const end = performance.now() + timeout;
    // Stop waiting if the client has gone; the Broker stays cordoned.
    const waitsFor = (): boolean => performance.now() < end && !reply.raw.destroyed;
    while (!(await isIdle()) && waitsFor() && cluster.view.cordoned.has(name)) {
      await sleep(LOOK_MS);
    }
  }
  const idle = await isIdle();
  const cordoned = cluster.view.cordoned.has(name);
  const outstanding = broker?.node.outstanding ?? 0;
  const drained = cordoned && idle;
  return reply
    .code(action === 'drain' && !drained ? 202 : 200)
    .send({ node: name, cordoned, drained, outstanding });
}
