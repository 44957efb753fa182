import { startKubernetesRig } from '../../../kit/discovery/kubernetes-rig.ts';
import { testSource } from '../../../kit/discovery/source-suite.ts';

testSource('Kubernetes', { start: startKubernetesRig, cuts: 100 });
