import { startConsulRig } from '../../../kit/discovery/consul-rig.ts';
import { testSource } from '../../../kit/discovery/source-suite.ts';

testSource('Consul', { start: startConsulRig, cuts: 100 });
