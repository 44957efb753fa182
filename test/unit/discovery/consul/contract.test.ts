import { startConsulRig } from '../../../kit/discovery/consul-rig.ts';
import { testConsul } from '../../../kit/discovery/consul-suite.ts';

testConsul('the fake Consul', startConsulRig);
