import { afterAll, beforeAll, describe, inject } from 'vitest';
import { ConsulAgent } from '../kit/consul/agent.ts';
import { startConsulAgentRig } from '../kit/discovery/consul-agent-rig.ts';
import { testConsul } from '../kit/discovery/consul-suite.ts';
import { testSource } from '../kit/discovery/source-suite.ts';

const { consul } = inject('engines');

describe.runIf('path' in consul)('Consul', () => {
  let agent: ConsulAgent;

  beforeAll(async () => {
    agent = await ConsulAgent.start('path' in consul ? consul.path : '');
  });

  afterAll(() => agent.close());

  testSource('a real Consul', { start: () => startConsulAgentRig(agent), cuts: 100 });
  testConsul('a real Consul', () => startConsulAgentRig(agent));
});
