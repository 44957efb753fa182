import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  atFault,
  type RunningGateway,
  startFaultyGateway,
  startGatewayWith,
} from '../kit/gateway/gateway-process.ts';
import { type FakeUpstream, json, plain, startUpstream } from '../kit/upstream/fake-upstream.ts';
import { OP, type ScriptedZooKeeper, startScriptedZooKeeper } from '../kit/zookeeper/scripted-zookeeper.ts';
import { connected, request } from './one-fault.ts';
import { ask, lives } from './rig.ts';

let gateway: RunningGateway | null = null;
afterEach(async () => {
  await gateway?.stop();
  gateway = null;
});

describe.for([1, 2])('a latch that is hard to read, workers: %s', (workers) => {
  let zookeeper: ScriptedZooKeeper;
  let given: number;
  beforeEach(async () => {
    given = 0;
    zookeeper = await startScriptedZooKeeper();
    zookeeper.script = ({ type, body }, reply) => {
      const path = body.toString('utf8', 4, 4 + body.readInt32BE(0));
      if (!path.includes('/_COORDINATOR')) reply.error(-101);
      else if (type === OP.GET_CHILDREN2) reply.children(['_c_x-latch-0000000001']);
      else if (type === OP.GET_DATA) {
        reply.data(Buffer.from(`http://a:8081${'/'.repeat(128_000)}x`));
        given++;
      } else reply.error(-101);
    };
  });
  afterEach(() => zookeeper.close());

  test('stops nobody: 128,000 slashes and an x are a leader without a name', async () => {
    const running = await startGatewayWith(
      { WORKERS: String(workers) },
      '--zookeeper',
      `127.0.0.1:${zookeeper.port}`,
    );
    gateway = running;
    let longest = 0;
    const looksAt = async (url: string): Promise<void> => {
      const began = performance.now();
      expect((await ask(url)).status).toBe(200);
      longest = Math.max(longest, performance.now() - began);
    };
    const looksAtAll = (): Promise<unknown> =>
      Promise.all([
        looksAt(`${running.url}/status/health`),
        looksAt(`${running.admin}/health/live`),
        looksAt(`${running.admin}/status`),
      ]);
    while (given === 0) await looksAtAll();
    // It reads what it was given between these.
    for (let i = 0; i < 10; i++) await looksAtAll();
    expect(longest).toBeLessThan(1_000);
    const { leaders } = await running.until(({ complete }) => complete);
    expect(leaders.coordinator).toMatchObject({ node: null });
  });
});

describe('a fault', () => {
  let druid: FakeUpstream;
  let held: number;
  beforeEach(async () => {
    held = 0;
    druid = await startUpstream(({ target }, socket) => {
      if (target.endsWith('/readiness')) socket.write(json(true));
      else if (target === '/status/ready') socket.write(plain('404 Not Found', [], ''));
      else held++;
    });
  });
  afterEach(() => druid.close());

  test('of all workers at once keeps the door shut for no longer than new ones need, whatever is held open', async () => {
    const running = await startFaultyGateway(
      atFault('throws'),
      { WORKERS: '2', STATIC__BROKERS: druid.origin, SHUTDOWN__DRAIN: '30s' },
      '--discovery',
      'static',
    );
    gateway = running;
    const before = await running.until(({ brokers, workers = [] }) => {
      return brokers.some(({ ready }) => ready) && workers.every(({ state }) => state === 'serving');
    });
    const pids = (before.workers ?? []).map(({ pid }) => pid ?? 0);
    const port = Number(new URL(running.url).port);
    // Requests that nobody answers, until each worker has one.
    while (!((await running.status()).workers ?? []).every(({ inFlight }) => inFlight > 0)) {
      const sent = held;
      (await connected(port)).send(request('GET /druid/v2/datasources', []));
      while (held === sent) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const pid of pids) process.kill(pid, 'SIGWINCH');
    let last = performance.now();
    let shut = 0;
    for (let served = 0; served < 10 || pids.some(lives); ) {
      // Whoever comes at the wrong moment is cut with the worker that he met.
      const health = await ask(`${running.url}/status/health`).catch(() => null);
      if (health?.status !== 200) continue;
      served++;
      const now = performance.now();
      shut = Math.max(shut, now - last);
      last = now;
    }
    expect(shut).toBeLessThan(5_000);
    const { workers: after = [] } = await running.until(({ workers = [] }) =>
      workers.every(({ state }) => state === 'serving'),
    );
    expect(after.map(({ lastExit }) => lastExit)).toMatchObject(
      pids.map(() => ({ reason: 'fault', code: 70 })),
    );
  });
});
