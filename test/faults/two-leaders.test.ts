import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, type Scene, stage } from './scene.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await stage({ roles: ['overlord', 'overlord'] });
});
afterAll(() => scene.close());

test('of two that say they lead the latch decides: an alarm, no change of leaders, nothing for the zombie', async () => {
  const { cluster, gateway } = scene;
  const [leader, zombie] = cluster.nodes;
  await gateway.until(({ leaders }) => leaders.overlord.state === 'serving');
  expect((await gateway.status()).leaders.overlord.node).toBe(leader?.hostAndPort);
  const traffic = scene.traffic('overlord', 50, 10);
  await zombie?.faults({ claimsToLead: true });
  await eventually(async () => (await gateway.metric('druid_gateway_rival_leaders{role="overlord"}')) === 1);
  await traffic.succeeded(250);
  expect((await gateway.status()).leaders.overlord).toMatchObject({
    state: 'serving',
    node: leader?.hostAndPort,
    rivals: [zombie?.hostAndPort],
  });
  expect(await gateway.metric('druid_gateway_leader_changes_total{role="overlord"}')).toBe(0);
  expect(gateway.log().match(/claims to lead/g)?.length).toBe(1);
  await zombie?.faults({});
  await eventually(async () => (await gateway.metric('druid_gateway_rival_leaders{role="overlord"}')) === 0);
  await traffic.stop();
  expect(traffic.failedReads).toEqual([]);
  expect(traffic.writes.filter(({ status }) => status !== 200)).toEqual([]);
  const ledger = await cluster.ledger();
  expect([...new Set([...ledger.values()].flat())]).toEqual([leader?.origin]);
  expect(await scene.writesOf(traffic)).toEqual({ twice: [], lost: [] });
});
