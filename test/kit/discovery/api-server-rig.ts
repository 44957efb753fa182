import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Account, ApiServer } from '../kubernetes/api-server.ts';
import type { Kind } from '../kubernetes/fake-api-server.ts';
import { startProxy } from '../net/tcp-proxy.ts';
import { sourceOf } from './kubernetes-rig.ts';
import type { KubernetesRig, Verb } from './kubernetes-suite.ts';
import { settled } from './settled.ts';

/** The chart's Roles and RoleBindings for one namespace, as YAML. */
export type Chart = (namespace: string) => Promise<string>;

/** The account of the chart's release `gw`. */
const ACCOUNT = 'gw-druid-gateway';
let rigs = 0;

interface Rule {
  readonly resources: readonly Kind[];
  readonly verbs: readonly Verb[];
}

interface RoleObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly rules?: readonly Rule[];
}

/** Makes the account of the chart with its Roles, and returns a file with its token. */
export async function installAccount(
  api: ApiServer,
  chart: string,
  account: Account,
  folder: string,
): Promise<{ readonly roles: readonly RoleObject[]; readonly tokenFile: string }> {
  await api.makeAccount(account);
  const objects = parseAllDocuments(chart).map((document) => document.toJS() as RoleObject | null);
  const roles = objects.filter((one) => one !== null);
  for (const role of roles) await api.must('POST', pathOf(role), role);
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, await api.tokenOf(account));
  return { roles: roles.filter(({ kind }) => kind === 'Role'), tokenFile };
}

function pathOf({ kind, metadata }: RoleObject): string {
  const kinds = kind === 'Role' ? 'roles' : 'rolebindings';
  return `/apis/rbac.authorization.k8s.io/v1/namespaces/${metadata.namespace}/${kinds}`;
}

/** A real API server as a source, by a link of its own, with a namespace of its own and the chart's own rights. */
export async function startApiServerRig(api: ApiServer, chart: Chart): Promise<KubernetesRig> {
  const namespace = `suite-${rigs++}`;
  const account = { namespace, name: ACCOUNT };
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-kubernetes-'));
  const proxy = await startProxy(api.port);
  const install = async (): ReturnType<typeof installAccount> => {
    await api.makeNamespace(namespace);
    return installAccount(api, await chart(namespace), account, folder);
  };
  const { roles, tokenFile } = await install();
  const target = { server: `https://127.0.0.1:${proxy.port}`, tokenFile, caFile: api.caFile };
  const verbs = new Map<Kind, readonly Verb[]>();
  return {
    ...sourceOf(api, namespace, target),
    namespace,
    writer: api,
    target,
    async allow(kind, allowed) {
      verbs.set(kind, allowed);
      for (const role of roles) {
        // A rule without verbs is refused, so what it allows goes with it.
        const rules = (role.rules ?? [])
          .map((rule) => ({ ...rule, verbs: verbs.get(rule.resources[0] ?? 'pods') ?? rule.verbs }))
          .filter((rule) => rule.verbs.length > 0);
        await api.must('PATCH', `${pathOf(role)}/${role.metadata.name}`, { rules });
      }
    },
    token: (which) => (which === 'good' ? api.tokenOf(account) : api.tokenUntil(account, -600)),
    async forget() {
      // What caches know is not forgotten before they are gone.
      await api.compact();
      await api.down();
      await api.up();
    },
    async lose() {
      await api.lose();
      await install();
    },
    cut: () => proxy.cut(),
    async stop() {
      proxy.drop(true);
      proxy.cut();
    },
    async start() {
      proxy.drop(false);
    },
    held: () => settled(() => proxy.open),
    asked: () => proxy.made,
    async close() {
      await proxy.close();
      await rm(folder, { recursive: true });
    },
  };
}
