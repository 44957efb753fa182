import { Agent } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pause, type Scene, stage } from '../faults/scene.ts';

let scene: Scene;
const agents = ['127.0.0.1', '127.0.0.2'].map(
  (localAddress) => new Agent({ connections: 500, localAddress }),
);

beforeAll(async () => {
  scene = await stage({
    roles: ['broker', 'broker'],
    keys: { UPSTREAM__MAX_REQUESTS_PER_NODE: '5', LIMITS__QUEUE__MAX_REQUESTS: '100' },
  });
  await scene.gateway.until(({ brokers }) => brokers.filter(({ ready }) => ready).length === 2);
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.destroy()));
  await scene.close();
});

async function query(agent: Agent): Promise<number> {
  const { statusCode, body } = await agent.request({
    origin: scene.gateway.url,
    path: '/druid/v2/sql',
    method: 'POST',
    body: '{"query":"SELECT 1"}',
  });
  await body.dump();
  return statusCode;
}

test('one client has hundreds of requests under way: another one with one at a time hardly notices', async () => {
  const [noisy, quiet] = agents as [Agent, Agent];
  // Ten at a time for 100 ms each.
  for (const node of scene.cluster.nodes) await node.faults({ delayMs: 100 });
  let stop = false;
  const loops = Array.from({ length: 300 }, async () => {
    while (!stop) if ((await query(noisy)) !== 200) await pause(50);
  });
  await pause(500);
  const times: number[] = [];
  const statuses: number[] = [];
  for (let i = 0; i < 30; i++) {
    const began = performance.now();
    statuses.push(await query(quiet));
    times.push(performance.now() - began);
  }
  stop = true;
  await Promise.all(loops);
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  // Its own 100 ms and at most a turn or two; in one line with the others it would be a second and more.
  expect(times.toSorted((a, b) => a - b)[15]).toBeLessThan(500);
});
