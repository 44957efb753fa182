import { startKubernetesRig } from '../../../kit/discovery/kubernetes-rig.ts';
import { testKubernetes } from '../../../kit/discovery/kubernetes-suite.ts';

testKubernetes('the fake API server', startKubernetesRig);
