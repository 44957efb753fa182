import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Report } from '../../src/doctor/examine.ts';
import { diagnosed, evidenceOf, wrongOf } from '../kit/doctor.ts';
import { masters, nodes, restart, zookeeper } from '../kit/druid/druid.ts';
import { isWhole, startGatewayFromSources } from '../kit/gateway/gateway-process.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/**
 * What is true of the shared cluster, which is whole but for that: one ZooKeeper server of short ticks, and metadata in
 * one Derby.
 */
const KNOWN = ['zk.session WARN', 'ha.zookeeper FAIL', 'ha.metadata FAIL'];

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The command as people run it. */
function doctor(...args: string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, 'doctor', ...args], (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}

test('of a cluster that is whole, doctor tells what it lacks and nothing else', async () => {
  await masters('coordinator');
  await masters('overlord');
  const report = await diagnosed(await zookeeper());
  expect(wrongOf(report)).toEqual(KNOWN);
  expect(evidenceOf(report, 'node.roles')).toBe(
    '2 coordinator, 2 overlord, 2 broker, 1 historical, 1 indexer',
  );
  expect(evidenceOf(report, 'node.versions')).toBe('33.0.0 on 8 of 8 nodes');
  expect(evidenceOf(report, 'node.clocks')).toContain('8 nodes');
  expect(evidenceOf(report, 'zk.compression')).toBe('8 compressed, 0 plain');
  expect(evidenceOf(report, 'ha.metadata')).toMatch(/^derby, jdbc:derby:\/\/127\.0\.0\.1:\d+\//);
  expect(evidenceOf(report, 'ha.shared')).toBe('4 masters say the same');
  expect(evidenceOf(report, 'ha.redirect')).toBe('2 masters redirect to the leader');
  expect(evidenceOf(report, 'ha.queryable')).toBe('2 Brokers are ready');
});

test('the base path of another cluster is told, with the one that is there', async () => {
  const report = await diagnosed(await zookeeper(), { ZOOKEEPER__BASE_PATH: '/druid2' });
  expect(evidenceOf(report, 'zk.path')).toBe("/druid2 does not exist; what looks like Druid's is at /druid");
});

test('the command asks the running gateway, too, and ends with 1', async () => {
  const connect = await zookeeper();
  const gateway = await startGatewayFromSources({}, '--zookeeper', connect);
  try {
    await gateway.until(isWhole);
    const { code, out, err } = await doctor('--zookeeper', connect, '--admin', gateway.admin, '--json');
    const report = JSON.parse(out) as Report;
    expect([code, err]).toEqual([1, '']);
    expect(wrongOf(report)).toEqual(KNOWN);
    expect(evidenceOf(report, 'gw.view')).toBe('both leaders and 2 Brokers');
    const skipped = await doctor('--zookeeper', connect, '--skip', 'ha', '--admin', gateway.admin);
    expect([skipped.code, skipped.out]).toEqual([0, expect.stringContaining('[PASS] 3.2 lead.agree')]);
  } finally {
    await gateway.stop();
  }
});

test('a follower that is gone leaves one Coordinator', async () => {
  const { other } = await masters('coordinator');
  process.kill(other.pid, 'SIGKILL');
  const report = await diagnosed(await zookeeper());
  await restart(other.name);
  expect(wrongOf(report)).toEqual([
    'zk.session WARN',
    'node.answers FAIL',
    'ha.zookeeper FAIL',
    'ha.metadata FAIL',
    'ha.coordinators FAIL',
  ]);
  // Its last connections may still be closing.
  expect(evidenceOf(report, 'node.answers')).toMatch(
    new RegExp(`127\\.0\\.0\\.1:${other.port}: no (?:answer|connection)`),
  );
});

test('a Broker that is frozen is told, and the others are asked all the same', async () => {
  const broker = (await nodes()).find(({ role }) => role === 'broker');
  if (broker === undefined) throw new Error('there are Brokers');
  process.kill(broker.pid, 'SIGSTOP');
  const report = await diagnosed(await zookeeper());
  process.kill(broker.pid, 'SIGCONT');
  expect(evidenceOf(report, 'node.answers')).toContain(`127.0.0.1:${broker.port}: no answer`);
  expect(evidenceOf(report, 'ha.queryable')).toContain('(1 are ready)');
});
