import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../tools/deploy-tools/run.ts';
import { CLUSTER } from '../kit/kubernetes/druid-pods.ts';

const CHART = fileURLToPath(new URL('../../deploy/helm/druid-gateway', import.meta.url));

/** What the chart makes of its `templates/rbac.yaml` in a namespace, with more values. `helm` is in `folder`. */
export async function renderRoles(
  folder: string,
  namespace: string,
  more: readonly string[] = [],
): Promise<string> {
  const values = ['discovery.type=kubernetes', `kubernetes.clusterIdentifier=${CLUSTER}`, ...more];
  const sets = values.flatMap((value) => ['--set', `config.${value}`]);
  const args = [
    'template',
    'gw',
    CHART,
    '--namespace',
    namespace,
    // Without a cluster, helm takes one of its own age.
    '--kube-version',
    'v1.37.0',
    '--show-only',
    'templates/rbac.yaml',
    ...sets,
  ];
  const made = await run(join(folder, 'helm'), args);
  if (made?.code !== 0) throw new Error(`helm: ${made?.stderr}`);
  return made.stdout;
}
