import { CreateMode } from 'node-zookeeper-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LATCHES } from '../kit/upstream/druid-like/master.ts';
import { connectWriter, type Writer } from '../kit/zookeeper/zookeeper-writer.ts';
import { type Scene, stage } from './scene.ts';

let scene: Scene;
let writer: Writer;

beforeAll(async () => {
  scene = await stage({ roles: ['overlord'], keys: { PARKING__MAX_WAIT: '1s' } });
  writer = await connectWriter(scene.ensemble.connect);
  await scene.gateway.until(({ leaders }) => leaders.overlord.state === 'serving');
});
afterAll(async () => {
  writer.close();
  await scene.close();
});

test.each([
  ['a port that nobody listens on', 'http://127.0.0.1:1', 'leader_unreachable'],
  ['nothing', '', 'no_leader'],
  ['no URL', 'not a URL', 'no_leader'],
])(
  'a latch whose first child names %s: 503, and the second in line gets nothing',
  async (_, data, reason) => {
    const [overlord] = scene.cluster.nodes;
    // Before all others, as a process that was there first and died without its session ending.
    const path = await writer.put(
      `${LATCHES.overlord}/_c_first-latch--000000001`,
      data,
      CreateMode.EPHEMERAL,
    );
    await overlord?.faults({ claimsToLead: true });
    await scene.gateway.until(({ leaders }) => leaders.overlord.state === 'elected');
    const writes = (await scene.cluster.ledger()).size;
    const traffic = scene.traffic('overlord', 20, 5);
    const answer = await scene.read('overlord');
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ errorCode: reason });
    await traffic.stop();
    expect((await scene.cluster.ledger()).size).toBe(writes);
    await overlord?.faults({});
    const began = performance.now();
    await writer.remove(path);
    await scene.gateway.until(({ leaders }) => leaders.overlord.state === 'serving');
    expect((await scene.read('overlord')).status).toBe(200);
    expect(performance.now() - began).toBeLessThan(5_000);
  },
);
