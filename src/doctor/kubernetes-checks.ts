import { type Check, fail, type Judgement, pass, skip, warn } from './check.ts';
import type { KubernetesFacts } from './facts.ts';
import { listed } from './printable.ts';

const DEPLOYMENT = 'docs/deployment.md';
const PROTOCOL = 'Druid: druid-kubernetes-extensions, K8sDruidNodeAnnouncer';

/** Judges what the API says; it is not asked where it is not used. */
function ofKubernetes(judge: (kubernetes: KubernetesFacts) => Judgement): Check['run'] {
  return ({ kubernetes }) => (kubernetes === null ? skip('Kubernetes is not used') : judge(kubernetes));
}

/** The same of what was read whole. */
function ofPods(judge: (kubernetes: KubernetesFacts) => Judgement): Check['run'] {
  return ofKubernetes((kubernetes) =>
    kubernetes.problem === null ? judge(kubernetes) : skip('the Kubernetes API could not be read'),
  );
}

export const KUBERNETES_CHECKS: readonly Check[] = [
  {
    id: 'k8s.api',
    title: 'The Kubernetes API tells the pods and both elections',
    remedy:
      'Give the service account of the gateway the Role of the Helm chart (list and watch of pods, and of both ConfigMaps by name) in the namespace of Druid, and open the way to the API server.',
    source: DEPLOYMENT,
    run: ofKubernetes(({ problem, server, namespace }) =>
      problem === null ? pass(`${server}, namespace ${namespace}`) : fail(problem),
    ),
  },
  {
    id: 'k8s.pods',
    title: 'Pods of this cluster announce themselves',
    remedy:
      'Compare kubernetes.namespace and kubernetes.clusterIdentifier with the pods: kubectl get pods -l druidDiscoveryAnnouncement-cluster-identifier=ID. Druid itself needs druid.discovery.type=k8s.',
    source: PROTOCOL,
    run: ofPods(({ pods, clusterIdentifier, namespace }) =>
      pods === 0
        ? fail(`no pod in ${namespace} has the label of ${clusterIdentifier}`)
        : pass(`${pods} of ${clusterIdentifier} in ${namespace}`),
    ),
  },
  {
    id: 'k8s.ready',
    title: 'All containers of the pods that announce themselves are ready',
    remedy:
      'A pod counts when all of its containers are ready, sidecars included (as in Druid since 37): see kubectl describe pod.',
    source: PROTOCOL,
    run: ofPods(({ pods, notReady }) => {
      if (pods === 0) return skip('there are no pods');
      return notReady.length === 0 ? pass(`${pods} pods`) : warn(`not ready: ${listed(notReady)}`);
    }),
  },
  {
    id: 'k8s.entries',
    title: 'Announcements and leader records can be read, and name nodes that may be used',
    remedy:
      'See what writes them; nodes that discovery.allow refuses have to be named there. With kubernetes.address podIP the addresses of pods count.',
    source: PROTOCOL,
    run: ofPods(({ faults }) => (faults.length === 0 ? pass('all of them') : warn(listed(faults)))),
  },
];
