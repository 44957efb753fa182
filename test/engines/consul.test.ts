import { writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { Discovery } from '../../src/discovery/discovery.ts';
import { ConsulAgent } from '../kit/consul/agent.ts';
import { startConsulAgentRig } from '../kit/discovery/consul-agent-rig.ts';
import { type ConsulRig, testConsul } from '../kit/discovery/consul-suite.ts';
import { hostsOf, leaderOf, termOf, testSource, until } from '../kit/discovery/source-suite.ts';
import { diagnosed, evidenceOf, wrongOf } from '../kit/doctor.ts';
import { recordErrors } from '../kit/gateway/recorded-errors.ts';

const { consul } = inject('engines');

describe.runIf('path' in consul)('Consul', () => {
  let agent: ConsulAgent;

  beforeAll(async () => {
    agent = await ConsulAgent.start('path' in consul ? consul.path : '');
  });

  afterAll(() => agent.close());

  testSource('a real Consul', { start: () => startConsulAgentRig(agent), cuts: 100 });
  testConsul('a real Consul', () => startConsulAgentRig(agent));

  describe('a real Consul alone', () => {
    const errors = recordErrors();
    let rig: ConsulRig;
    let discovery: Discovery;

    beforeEach(async () => {
      rig = await startConsulAgentRig(agent);
      discovery = rig.create({ errors });
    });

    afterEach(async () => {
      await discovery.close();
      await rig.close();
      expect(errors.lines).toEqual([]);
    });

    test('that keeps services from a token is what doctor names', async () => {
      await rig.announce('broker', '10.0.0.1', 8082);
      const keys = {
        DISCOVERY__TYPE: 'consul',
        CONSUL__SERVER: rig.target.server,
        CONSUL__TOKEN_FILE: rig.target.tokenFile,
        CONSUL__SERVICE_PREFIX: rig.prefix,
        CONSUL__COORDINATOR_KEY: rig.leaderKeys.coordinator,
        CONSUL__OVERLORD_KEY: rig.leaderKeys.overlord,
      };
      const wrong = async (): Promise<string[]> => {
        const report = await diagnosed(null, keys);
        return wrongOf(report).filter((one) => one.startsWith('consul'));
      };
      expect(await wrong()).toEqual([]);
      await writeFile(rig.target.tokenFile, await rig.token(['keys']));
      expect(await wrong()).toEqual(['consul.services FAIL', 'consul.entries WARN']);
      expect(evidenceOf(await diagnosed(null, keys), 'consul.entries')).toContain('the token may not read');
      await writeFile(rig.target.tokenFile, await rig.token(['services']));
      expect(await wrong()).toEqual(['consul.api FAIL']);
    });

    test('keeps a dead leader for up to twice the time of its session, and then the key from the next one', async () => {
      const key = rig.leaderKeys.coordinator;
      const dead = await agent.openSession('dead', { ttl: '10s', lockDelay: '5s' });
      expect(await agent.lock(key, 'http://c1:8081', dead)).toBe(true);
      discovery.start();
      await until(discovery, () => leaderOf(discovery) === 'http://c1:8081');
      const began = performance.now();
      await until(discovery, () => leaderOf(discovery) === null);
      const gone = performance.now();
      expect(gone - began).toBeGreaterThan(9_000);
      expect(gone - began).toBeLessThan(22_000);
      const next = await agent.openSession('next', { lockDelay: '5s' });
      while (!(await agent.lock(key, 'http://c2:8081', next))) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(performance.now() - gone).toBeGreaterThan(4_500);
      await until(discovery, () => leaderOf(discovery) === 'http://c2:8081');
    });

    test('that is restored from a snapshot has lower indexes, and is believed at once', async () => {
      await rig.announce('broker', '10.0.0.1', 8082);
      await rig.elect('coordinator', 'http://c1:8081');
      discovery.start();
      await until(discovery, () => hostsOf(discovery).length === 1 && discovery.status.state === 'connected');
      const term = termOf(discovery) ?? 0;
      const snapshot = await agent.snapshot();
      await rig.elect('coordinator', 'http://c2:8081');
      await until(discovery, () => leaderOf(discovery) === 'http://c2:8081');
      expect(termOf(discovery)).toBeGreaterThan(term);
      // All questions wait, with the indexes of before.
      await rig.held();
      const states = new Set<string>();
      discovery.on('status', ({ state }) => states.add(state));
      const began = performance.now();
      await agent.restore(snapshot);
      await until(discovery, () => leaderOf(discovery) === 'http://c1:8081');
      expect(termOf(discovery)).toBe(term);
      expect(performance.now() - began).toBeLessThan(5_000);
      expect([...states]).toEqual([]);
      await rig.announce('broker', '10.0.0.2', 8082);
      await until(discovery, () => hostsOf(discovery).length === 2);
    });
  });
});
