import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Outcome, runChaos } from '../../demo/chaos/chaos.ts';
import { Scene } from '../../demo/chaos/scene.ts';
import { stepNamed } from '../../demo/chaos/steps.ts';
import { renderDetails, renderTable } from '../../demo/chaos/table.ts';
import { demoGateway } from '../../demo/gateway.ts';
import { type HaCluster, startHaCluster } from '../../demo/ha/ha-cluster.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { ensureExtendedDruidJars, ensureZooKeeperJars } from '../../tools/druid-cluster/artifacts.ts';
import { type Loaded, loadDataset } from '../../tools/druid-cluster/dataset.ts';
import { checkToolchain } from '../../tools/druid-cluster/toolchain.ts';
import { testPorts } from '../kit/net/ports.ts';

/** One of each kind; `npm run demo -- --chaos` breaks more. */
const STEPS = [
  'leading Coordinator ended',
  'leading Overlord killed',
  'leading Coordinator frozen',
  'ZooKeeper leader killed',
  'Broker killed',
  'PostgreSQL primary killed, standby promoted',
];

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const never = new AbortController().signal;

let folder: string;
let cluster: HaCluster;
let gateway: Gateway;
let url: string;
let admin: string;
let loaded: Loaded;
let outcome: Outcome;

beforeAll(async () => {
  await checkToolchain();
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-ha-'));
  cluster = await startHaCluster({
    folder,
    druidClassPath: await ensureExtendedDruidJars(say),
    zookeeperClassPath: await ensureZooKeeperJars(say),
    cuttable: true,
    report: say,
  });
  const [port = 0, adminPort = 0] = await testPorts(2);
  gateway = demoGateway({ zookeeper: cluster.zookeeper, port, adminPort, folder });
  await gateway.start();
  url = `http://127.0.0.1:${port}`;
  admin = `http://127.0.0.1:${adminPort}`;
  loaded = await loadDataset(url);
});

afterAll(async () => {
  await gateway?.stop();
  await cluster?.close();
  await rm(folder, { recursive: true, force: true });
});

test('the doctor finds it highly available', async () => {
  const { checks } = (await (await fetch(`${admin}/doctor`)).json()) as {
    checks: readonly { readonly id: string; readonly result: string; readonly evidence: string }[];
  };
  // Each master has a way of its own to ZooKeeper here (ha.shared), and there is one gateway (ha.balancer).
  const found = checks.filter(({ id }) => id.startsWith('ha.') && !['ha.shared', 'ha.balancer'].includes(id));
  // The admin listener does not ask the metadata store itself.
  expect(found.filter(({ result }) => result === 'PASS').length).toBeGreaterThan(5);
  expect(found.filter(({ result }) => result !== 'PASS' && result !== 'SKIP')).toEqual([]);
});

test('each part of a highly available cluster is broken and mended under load, to the end', async () => {
  outcome = await runChaos({
    scene: new Scene(cluster, admin, never),
    url,
    truth: loaded,
    steps: STEPS.map(stepNamed),
    holdMs: 500,
    stop: never,
    abandon: never,
    report: say,
  });
  say(renderTable(outcome.rows) + renderDetails(outcome.rows));
  expect(outcome).toMatchObject({ trouble: null, checked: true });
  expect(outcome.rows).toHaveLength(1 + STEPS.length);
});

test('nothing that was acknowledged is lost, nothing is done twice, and no answer is wrong', () => {
  const lies = outcome.rows.map(({ what, lost, doubled, wrong }) => ({ what, lost, doubled, wrong }));
  expect(lies).toEqual(lies.map(({ what }) => ({ what, lost: 0, doubled: 0, wrong: 0 })));
});

test('no read and no query fails: they wait for who is next', () => {
  expect(outcome.rows.map(({ what, failed }) => [what, failed])).toEqual(
    outcome.rows.map(({ what }) => [what, 0]),
  );
});

test('queries hardly notice what is not a Broker', () => {
  for (const { what, gaps } of outcome.rows) {
    // They come twenty a second.
    if (!what.startsWith('broker')) expect([what, gaps.query < 5_000]).toEqual([what, true]);
  }
});
