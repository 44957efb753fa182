import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, securedCluster } from '../kit/druid/secured.ts';
import { type RunningGateway, startGateway } from '../kit/gateway/gateway-process.ts';

let folder: string;
let gateway: RunningGateway;

beforeAll(async () => {
  const { nodes } = await securedCluster();
  const urls = (role: string): string[] =>
    nodes.filter((node) => node.role === role).map(({ port }) => `http://127.0.0.1:${port}`);
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-static-'));
  const config = join(folder, 'gateway.yaml');
  const [coordinators, brokers] = [urls('coordinator'), urls('broker')];
  // One process is both masters. JSON is YAML.
  const known = { coordinators, overlords: coordinators, brokers };
  await writeFile(config, JSON.stringify({ discovery: { type: 'static' }, static: known }));
  gateway = await startGateway('--config', config);
});
afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
  await rm(folder, { recursive: true, force: true });
});

test('leaders are found although nobody tells who leads without credentials', async () => {
  const [coordinator] = (await securedCluster()).nodes.filter(({ role }) => role === 'coordinator');
  const leader = `http://127.0.0.1:${coordinator?.port}/druid/coordinator/v1/leader`;
  expect((await ask(leader, { as: null })).status).toBe(401);
  const { leaders } = await gateway.until(
    ({ leaders: { coordinator, overlord }, brokers }) =>
      coordinator.state === 'serving' &&
      overlord.state === 'serving' &&
      brokers.filter(({ ready }) => ready).length === 2,
  );
  expect(leaders.coordinator.knownBy).toBe('probe');
  for (const path of ['/druid/coordinator/v1/datasources', '/druid/indexer/v1/workers']) {
    expect((await ask(gateway.url + path)).status).toBe(200);
    expect((await ask(gateway.url + path, { as: null })).status).toBe(401);
  }
});
