import { cp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { TAKEN_UP } from '../../src/config/reloadable.ts';
import type { Config } from '../../src/config/schema.ts';
import { KUBERNETES_VERSIONS } from '../../tools/deploy-tools/toolbox.ts';
import {
  DEPLOY,
  HAS_GO_TOOLS,
  HAS_SCHEMAS,
  ROOT,
  readDeployed,
  runTool,
  schemasFolder,
  scratchFolder,
  tryTool,
} from './tools.ts';

const CHART = join(DEPLOY, 'helm/druid-gateway');
const NEWEST = 'v1.37.0';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into it
  readonly spec?: any;
}

/** Values that are shipped as examples, and the chart's own. */
const VALUES = ['', ...(await readdir(join(CHART, 'ci'))).toSorted()];

function render(values: string, more: readonly string[] = [], version: string = NEWEST): Promise<string> {
  const files = values === '' ? [] : ['-f', join(CHART, 'ci', values)];
  return runTool('helm', [
    'template',
    'gw',
    CHART,
    '--namespace',
    'druid',
    '--kube-version',
    version,
    ...files,
    ...more,
  ]);
}

async function rendered(values: string, more: readonly string[] = []): Promise<Manifest[]> {
  return parseAllDocuments(await render(values, more)).map((document) => document.toJS() as Manifest);
}

function only(manifests: readonly Manifest[], kind: string, ending = ''): Manifest {
  const found = manifests.filter(
    (manifest) => manifest.kind === kind && manifest.metadata.name.endsWith(ending),
  );
  const [manifest] = found;
  if (manifest === undefined || found.length > 1)
    throw new Error(`expected one ${kind}, there are ${found.length}`);
  return manifest;
}

/** The configuration in a ConfigMap, as the gateway itself reads it. Throws if it would not start with it. */
async function configIn(manifests: readonly Manifest[]): Promise<Config> {
  const folder = await scratchFolder();
  // The only file that is read with the configuration.
  await writeFile(join(folder, 'password'), 'secret');
  const text = only(manifests, 'ConfigMap', '-config').data?.['gateway.yaml'] ?? '';
  const file = join(folder, 'gateway.yaml');
  await writeFile(file, text.replaceAll('/etc/druid-gateway/secrets/zookeeper', folder));
  return loadConfig({ file });
}

/** Durations of the configuration are in ms. */
const graceMs = (spec: { terminationGracePeriodSeconds: number }): number =>
  spec.terminationGracePeriodSeconds * 1000;

describe.runIf(HAS_GO_TOOLS)('the chart', () => {
  describe.each(VALUES)('with values %s', (values) => {
    let manifests: Manifest[];

    beforeAll(async () => {
      manifests = await rendered(values);
    });

    test('passes `helm lint --strict`', async () => {
      const files = values === '' ? [] : ['-f', join(CHART, 'ci', values)];
      expect(await runTool('helm', ['lint', '--strict', CHART, ...files])).toContain('0 chart(s) failed');
    });

    test.runIf(HAS_SCHEMAS)('is what Kubernetes takes, the oldest and the newest', async () => {
      for (const version of KUBERNETES_VERSIONS) {
        const yaml = await render(values, [], version);
        const schema = join(schemasFolder(), version, '{{.ResourceKind}}{{.KindSuffix}}.json');
        const operator = 'ServiceMonitor,PodMonitor,PrometheusRule';
        const args = ['-strict', '-summary', '-skip', operator, '-schema-location', schema];
        expect(await runTool('kubeconform', args, yaml)).toMatch(/Invalid: 0, Errors: 0/);
      }
    });

    test('has objects that the Prometheus operator takes', async () => {
      const folder = await scratchFolder();
      const kinds = ['ServiceMonitor', 'PodMonitor', 'PrometheusRule'];
      const files = await Promise.all(
        manifests
          .filter(({ kind }) => kinds.includes(kind))
          .map(async (manifest) => {
            const file = join(folder, `${manifest.kind}.yaml`);
            await writeFile(file, stringify(manifest));
            return file;
          }),
      );
      if (files.length > 0) await runTool('strict', ['monitoring', ...files]);
    });

    test('has a configuration that the gateway starts with, and that keeps the admin listener in the pod', async () => {
      const { admin } = await configIn(manifests);
      expect(admin.listen.host).toBe('127.0.0.1');
      expect(admin.health?.listen).toEqual({ host: '0.0.0.0', port: 9889 });
    });
  });

  test('has names of its own for each port, and probes that ask the listener for health', async () => {
    const manifests = await rendered('everything-values.yaml');
    const config = await configIn(manifests);
    const [container] = only(manifests, 'Deployment').spec.template.spec.containers;
    const ports = new Map(container.ports.map(({ name, containerPort }: never) => [name, containerPort]));
    expect(Object.fromEntries(ports)).toEqual({
      https: config.listen.port,
      'gw-health': config.admin.health?.listen.port,
    });
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      expect(container[probe].httpGet).toEqual({
        path: probe === 'readinessProbe' ? '/health/ready' : '/health/live',
        port: 'gw-health',
      });
    }
    const { failureThreshold, periodSeconds, timeoutSeconds } = container.livenessProbe;
    // docs/operations.md, "When something of ours breaks".
    expect({ failureThreshold, periodSeconds, timeoutSeconds }).toEqual({
      failureThreshold: 4,
      periodSeconds: 5,
      timeoutSeconds: 3,
    });
    const services = manifests.filter(({ kind }) => kind === 'Service');
    for (const { spec } of services) {
      for (const { targetPort } of spec.ports) expect([...ports.keys()]).toContain(targetPort);
    }
  });

  test('gives the gateway the time that it may take to end', async () => {
    for (const [more, least] of [
      [[], 10_000 + 30_000],
      [['--set', 'config.shutdown.drain=90s', '--set', 'config.shutdown.delay=500ms'], 90_500],
      [['--set', 'config.shutdown.drain=5m', '--set', 'config.shutdown.delay=1500ms'], 301_500],
      [['--set', 'config.shutdown.drain=1h', '--set', 'config.shutdown.delay=0'], 3_600_000],
      [['--set', 'config.shutdown.drain=45000', '--set', 'config.shutdown.delay=null'], 45_000],
    ] as const) {
      const manifests = await rendered('static-values.yaml', more);
      const { shutdown } = await configIn(manifests);
      const grace = graceMs(only(manifests, 'Deployment').spec.template.spec);
      expect(shutdown.delay + shutdown.drain).toBe(least);
      // 10 s is what the gateway takes after these (src/cli/serve.ts).
      expect(grace).toBeGreaterThanOrEqual(least + 10_000);
      expect(grace).toBeLessThanOrEqual(least + 17_000);
    }
    const everything = await rendered('everything-values.yaml');
    expect(graceMs(only(everything, 'Deployment').spec.template.spec)).toBe(300_000);
  });

  test('rolls out for a key that needs a restart, and for no other', async () => {
    const checksum = async (...sets: string[]): Promise<string> => {
      const manifests = await rendered(
        '',
        sets.flatMap((set) => ['--set', set]),
      );
      return only(manifests, 'Deployment').spec.template.metadata.annotations['checksum/needs-restart'];
    };
    const before = await checksum();
    const takenUp = [
      'config.queries.maxCancels=3',
      'config.log.level=debug',
      'config.upstream.totalTimeout=5m',
      'config.limits.queue.maxWait=3s',
      'config.parking.maxWait=1m',
      'config.cors.maxAge=3m',
      'listen.basePath=/x',
      'admin.viewClients[0]=10.0.0.0/8',
      'config.tracing.sampleRatio=0.5',
      'config.zookeeper.connect=other:2181',
      'config.discovery.fallback[0]=dns',
    ];
    expect(await checksum(...takenUp)).toBe(before);
    expect(await checksum('config.health.slowStart=1m')).not.toBe(before);
    expect(await checksum('config.limits.maxConnections=5')).not.toBe(before);
    expect(await checksum('config.log.format=text')).not.toBe(before);
    expect(await checksum('listen.port=8889')).not.toBe(before);
  });

  test('counts among these what a reload takes up', async () => {
    const template = await readFile(join(CHART, 'templates/_helpers.tpl'), 'utf8');
    const helper = template.slice(template.indexOf('define "druid-gateway.needsRestart"'));
    const end = helper.indexOf('{{- end -}}\n\n');
    const calls = helper.slice(0, end).matchAll(/(?:"(\w+)" \()?(omit|pick) (?:\$config|\.) ((?:"\w+" ?)+)/g);
    const [left, kept]: [string[], string[]] = [[], []];
    for (const [, section, call, keys = ''] of calls) {
      const paths = Array.from(keys.matchAll(/"(\w+)"/g), ([, key = '']) =>
        section === undefined ? key : `${section}.${key}`,
      );
      if (call === 'omit') left.push(...paths);
      else {
        left.push(section ?? '');
        kept.push(...paths);
      }
    }
    expect(left.toSorted()).toEqual(
      Object.keys(TAKEN_UP)
        .filter((key) => TAKEN_UP[key])
        .toSorted(),
    );
    // Of a section that is taken up, what is not.
    const exceptions = Object.keys(TAKEN_UP).filter(
      (key) => !TAKEN_UP[key] && TAKEN_UP[key.split('.')[0] ?? ''] === true,
    );
    expect(kept).toEqual(exceptions);
  });

  test('runs as nobody who could do harm', async () => {
    for (const manifest of await rendered('everything-values.yaml')) {
      const pod = manifest.kind === 'Deployment' ? manifest.spec.template.spec : manifest.spec;
      if (pod?.containers === undefined) continue;
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      for (const { securityContext } of pod.containers) {
        expect(securityContext).toEqual({
          runAsNonRoot: true,
          runAsUser: 1000,
          runAsGroup: 1000,
          seccompProfile: { type: 'RuntimeDefault' },
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  test('mounts folders whose links are swapped, and every file that the configuration names', async () => {
    const manifests = await rendered('everything-values.yaml');
    const { volumes, containers } = only(manifests, 'Deployment').spec.template.spec;
    const [{ volumeMounts }] = containers;
    for (const { name, subPath } of volumeMounts) {
      expect(subPath).toBeUndefined();
      expect(volumes.filter((volume: { name: string }) => volume.name === name)).toHaveLength(1);
    }
    const folders = volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
    const text = JSON.stringify(await configIn(manifests));
    const files = Array.from(text.matchAll(/"(\/(?:etc|var)[^"]+)"/g), ([, file = '']) => file);
    expect(files.length).toBe(6);
    for (const file of files) {
      expect(
        folders.some((folder: string) => file.startsWith(`${folder}/`)),
        file,
      ).toBe(true);
    }
  });

  test('serves below the prefix of its ingress, without rewriting', async () => {
    const manifests = await rendered('ingress-values.yaml');
    const { spec, metadata } = only(manifests, 'Ingress') as Manifest & {
      metadata: { annotations: Record<string, string> };
    };
    const [path] = spec.rules[0].http.paths;
    expect(path).toMatchObject({ path: '/druid-prod', pathType: 'Prefix' });
    expect(Object.keys(metadata.annotations).filter((name) => name.includes('rewrite'))).toEqual([]);
    const listen = parse(only(manifests, 'ConfigMap', '-config').data?.['gateway.yaml'] ?? '').listen;
    expect(listen.basePath).toBe(path.path);
  });

  test('lets in and out by its policy what the configuration and the Services name', async () => {
    const manifests = await rendered('everything-values.yaml');
    const { ingress, egress, podSelector } = only(manifests, 'NetworkPolicy').spec;
    expect(podSelector).toEqual(only(manifests, 'Deployment').spec.selector);
    expect(ingress.map(({ ports }: never) => (ports as { port: number }[])[0]?.port)).toEqual([9443, 9889]);
    const out = egress.flatMap(({ ports }: { ports: { port: number }[] }) => ports.map(({ port }) => port));
    expect(new Set(out)).toEqual(new Set([53, 2181, 2281, 8281, 8282, 8290, 443]));
    const open = only(await rendered('', ['--set', 'networkPolicy.enabled=true']), 'NetworkPolicy').spec;
    expect(open.ingress[0].from).toBeUndefined();
  });

  test('has Services without a selector for the leaders, and the rights to write their EndpointSlices', async () => {
    const manifests = await rendered('ingress-values.yaml', ['--set', 'networkPolicy.enabled=true']);
    const { feeds } = await configIn(manifests);
    expect(feeds.kubernetes?.services).toEqual({
      coordinator: 'druid-coordinator',
      overlord: 'druid-overlord',
    });
    const text = await readFile(join(DEPLOY, 'kubernetes/leader-services.yaml'), 'utf8');
    const plain = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
    if (HAS_SCHEMAS) {
      const schema = join(schemasFolder(), NEWEST, '{{.ResourceKind}}{{.KindSuffix}}.json');
      const conform = ['-strict', '-summary', '-schema-location', schema];
      expect(await runTool('kubeconform', conform, text)).toMatch(/Invalid: 0, Errors: 0/);
    }
    for (const name of ['druid-coordinator', 'druid-overlord']) {
      const { spec } = only(manifests, 'Service', name);
      expect(spec.selector).toBeUndefined();
      expect(spec.ports[0].name).toBe(feeds.kubernetes?.portName);
      // The plain example is the same.
      const { type, ...rest } = spec;
      expect([type, rest]).toEqual(['ClusterIP', only(plain, 'Service', name).spec]);
    }
    const role = only(manifests, 'Role', '-slices');
    expect(role).toMatchObject({ metadata: { namespace: 'druid' } });
    expect((role as { rules?: unknown }).rules).toEqual((only(plain, 'Role') as { rules?: unknown }).rules);
    expect(only(manifests, 'RoleBinding', '-slices')).toMatchObject({
      roleRef: { name: 'gw-druid-gateway-slices' },
      subjects: [{ kind: 'ServiceAccount', name: 'gw-druid-gateway', namespace: 'druid' }],
    });
    expect(only(manifests, 'Deployment').spec.template.spec.automountServiceAccountToken).toBe(true);
    const ports = only(manifests, 'NetworkPolicy').spec.egress.flatMap(
      (rule: { ports: readonly { port: number }[] }) => rule.ports.map(({ port }) => port),
    );
    expect(ports).toEqual(expect.arrayContaining([2181, 443, 6443]));
    const own = await rendered('ingress-values.yaml', [
      '--set',
      'config.feeds.kubernetes.namespace=other,config.feeds.kubernetes.lease=l,config.feeds.kubernetes.portName=',
    ]);
    expect(only(own, 'Role', '-slices')).toMatchObject({ metadata: { namespace: 'other' } });
    expect(JSON.stringify(only(own, 'Role', '-slices'))).toContain('"resourceNames":["l"]');
    expect(only(own, 'Service', 'druid-overlord').spec.ports).toEqual([{ port: 8090, protocol: 'TCP' }]);
    expect((await rendered('')).filter(({ metadata }) => metadata.name.endsWith('-slices'))).toEqual([]);
  });

  test('may read pods and two ConfigMaps where nodes are known from Kubernetes, and nothing otherwise', async () => {
    type Role = Manifest & { readonly rules: readonly object[] };
    const manifests = await rendered('kubernetes-values.yaml');
    const roles = manifests.filter(({ kind }) => kind === 'Role') as Role[];
    expect(roles.map(({ metadata, rules }) => [metadata, rules])).toMatchObject([
      [
        { namespace: 'druid-prod' },
        [
          { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] },
          {
            apiGroups: [''],
            resources: ['configmaps'],
            resourceNames: ['druid-prod-leaderelection-coordinator', 'druid-prod-leaderelection-overlord'],
            verbs: ['list', 'watch'],
          },
        ],
      ],
    ]);
    expect(only(manifests, 'RoleBinding')).toMatchObject({
      metadata: { namespace: 'druid-prod' },
      subjects: [{ kind: 'ServiceAccount', name: 'gw-druid-gateway', namespace: 'druid' }],
    });
    expect(only(manifests, 'Deployment').spec.template.spec.automountServiceAccountToken).toBe(true);
    const ports = only(manifests, 'NetworkPolicy').spec.egress.flatMap(
      (rule: { ports: readonly { port: number }[] }) => rule.ports.map(({ port }) => port),
    );
    expect(ports).toEqual(expect.arrayContaining([443, 6443]));
    expect(ports).not.toContain(2181);
    const apart = await rendered('kubernetes-values.yaml', [
      '--set',
      'config.kubernetes.overlordNamespace=masters',
    ]);
    expect(apart.filter(({ kind }) => kind === 'Role')).toHaveLength(2);
    // Before a move from ZooKeeper.
    for (const fallback of ['{static,kubernetes}', 'static\\, kubernetes']) {
      const further = `config.discovery.type=zookeeper,config.discovery.fallback=${fallback}`;
      const both = await rendered('kubernetes-values.yaml', ['--set', further]);
      expect(both.filter(({ kind }) => kind.startsWith('Role'))).toHaveLength(2);
      expect(only(both, 'Deployment').spec.template.spec.automountServiceAccountToken).toBe(true);
      expect(JSON.stringify(only(both, 'NetworkPolicy').spec.egress)).toMatch(/2181.*6443/);
    }
    for (const without of [
      await rendered(''),
      await rendered('kubernetes-values.yaml', ['--set', 'rbac.create=false']),
    ]) {
      expect(without.filter(({ kind }) => kind.startsWith('Role'))).toEqual([]);
    }
  });

  test('has the rules of deploy/prometheus, less those that are left out', async () => {
    const manifests = await rendered('everything-values.yaml');
    type Rules = {
      groups: { name: string; rules: { alert?: string; annotations?: Record<string, string> }[] }[];
    };
    const [alerts, recording] = await Promise.all([
      readDeployed<Rules>('prometheus/alerts.yaml'),
      readDeployed<Rules>('prometheus/recording-rules.yaml'),
    ]);
    const wanted = [...alerts.groups, ...recording.groups].map(({ name, rules }) => ({
      name,
      rules: rules
        .filter(({ alert }) => alert !== 'DruidGatewayLeaderConflicts')
        .map((rule) =>
          rule.annotations === undefined
            ? rule
            : {
                ...rule,
                annotations: {
                  ...rule.annotations,
                  runbook_url: `https://git.example.com/druid-gateway/blob/main/${rule.annotations.runbook}`,
                },
              },
        ),
    }));
    expect(only(manifests, 'PrometheusRule').spec.groups).toEqual(wanted);
    const dashboards = only(manifests, 'ConfigMap', '-dashboard');
    expect(JSON.parse(dashboards.data?.['druid-gateway.json'] ?? '')).toEqual(
      await readDeployed('grafana/druid-gateway.json'),
    );
  });

  test('has a monitor that finds the Service with the metrics, and no other', async () => {
    const manifests = await rendered('everything-values.yaml');
    const { selector, endpoints } = only(manifests, 'ServiceMonitor').spec;
    const found = manifests.filter(
      ({ kind, metadata }) =>
        kind === 'Service' &&
        Object.entries(selector.matchLabels).every(([name, value]) => metadata.labels[name] === value),
    );
    expect(found.map(({ metadata }) => metadata.name)).toEqual(['gw-druid-gateway-metrics']);
    expect(found[0]?.spec.ports.map(({ name }: { name: string }) => name)).toEqual([endpoints[0].port]);
  });

  test('has a test pod that no Service and no budget takes for a gateway', async () => {
    const manifests = await rendered('');
    const { labels } = only(manifests, 'Pod').metadata;
    const selectors = manifests.flatMap(({ spec }) => {
      const selector = spec?.selector?.matchLabels ?? spec?.selector;
      return selector === undefined ? [] : [selector as Record<string, string>];
    });
    expect(selectors.length).toBeGreaterThan(3);
    for (const selector of selectors) {
      expect(Object.entries(selector).every(([name, value]) => labels[name] === value)).toBe(false);
    }
  });

  test('refuses values that mean nothing', async () => {
    for (const [set, why] of [
      ['replicas=3', 'replicas'],
      ['mode=daemon', 'mode'],
      ['config.listen=0.0.0.0:1', 'config'],
      ['config.admin.tokenFile=/x', 'config'],
      ['listen.basePath=druid', 'basePath'],
      ['listen.port=70000', 'port'],
      ['image.digest=latest', 'digest'],
      ['secretFiles[0].name=../up', 'name'],
      ['serviceMonitor.interval=15', 'interval'],
    ]) {
      const result = await tryTool('helm', [
        'template',
        'gw',
        CHART,
        '--kube-version',
        NEWEST,
        '--set',
        set ?? '',
      ]);
      expect([set, result?.code]).toEqual([set, 1]);
      expect(result?.stderr).toContain(why);
    }
  });

  test('tells after the installation where the gateway is, and what to ask it', async () => {
    const folder = await scratchFolder();
    await cp(CHART, folder, { recursive: true });
    // Without a cluster helm prints no notes, so they become an object.
    await rename(join(folder, 'templates/NOTES.txt'), join(folder, 'notes.txt'));
    const object = 'kind: Notes\ndata:\n  notes: |\n    {{- tpl (.Files.Get "notes.txt") . | nindent 4 }}\n';
    await writeFile(join(folder, 'templates/notes.yaml'), object);
    const notesOf = async (values: string): Promise<string> => {
      const args = ['-n', 'druid', '--kube-version', NEWEST, '--show-only', 'templates/notes.yaml'];
      const files = ['-f', join(CHART, 'ci', values)];
      const { data } = parse(
        await runTool('helm', ['template', 'gw', folder, ...args, ...files]),
      ) as Manifest;
      return data?.notes ?? '';
    };
    const ingress = await notesOf('ingress-values.yaml');
    expect(ingress).toContain('http://gw-druid-gateway.druid.svc:8888/druid-prod\n');
    expect(ingress).toContain('https://druid.example.com/druid-prod\n');
    expect(ingress).not.toContain('one replica');
    const asked = Array.from(ingress.matchAll(/-- node dist\/main\.js (\w+)/g), ([, name]) => name);
    expect(asked).toEqual(['status', 'doctor']);
    expect(await notesOf('everything-values.yaml')).toContain('https://gw-druid-gateway.druid.svc:443\n');
    expect(await notesOf('static-values.yaml')).toContain('There is one replica');
    const sidecar = await notesOf('sidecar-values.yaml');
    expect(sidecar).toContain('configmap -n druid gw-druid-gateway-sidecar ');
    expect(sidecar).toMatch(/terminationGracePeriodSeconds of 55 or more/);
    expect(sidecar).toContain('http://127.0.0.1:8888 within');
  });

  test('is of the gateway’s own version', async () => {
    const { appVersion } = await readDeployed<{ appVersion: string }>('helm/druid-gateway/Chart.yaml');
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(appVersion).toBe(version);
  });
});

describe.runIf(HAS_GO_TOOLS)('as a sidecar', () => {
  async function patchOf(values: string) {
    const manifests = await rendered(values);
    return parse(only(manifests, 'ConfigMap', '-sidecar').data?.['patch.yaml'] ?? '').spec.template.spec;
  }

  test('it is reached by its own pod only, unless it is told otherwise', async () => {
    const manifests = await rendered('sidecar-values.yaml');
    expect((await configIn(manifests)).listen.host).toBe('127.0.0.1');
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(['ConfigMap', 'ConfigMap', 'PodMonitor']);
    const { containers } = await patchOf('sidecar-values.yaml');
    expect(containers[0].ports.map(({ name }: { name: string }) => name)).toEqual(['gw-health']);
  });

  test.runIf(HAS_SCHEMAS)(
    'deploy/sidecar/statefulset.yaml is what the patch makes, and Kubernetes takes it',
    async () => {
      const text = await readFile(join(DEPLOY, 'sidecar/statefulset.yaml'), 'utf8');
      const documents = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
      const patch = await patchOf('router-sidecar-values.yaml');
      const pod = only(documents, 'StatefulSet').spec.template.spec;
      expect(pod.containers.filter(({ name }: { name: string }) => name === 'druid-gateway')).toEqual(
        patch.containers,
      );
      expect(pod.volumes).toEqual(patch.volumes);
      const config = await configIn(documents);
      expect(config).toEqual(await configIn(await rendered('router-sidecar-values.yaml')));
      expect(graceMs(pod)).toBeGreaterThan(config.shutdown.delay + config.shutdown.drain + 10_000);
      const schema = join(schemasFolder(), NEWEST, '{{.ResourceKind}}{{.KindSuffix}}.json');
      await runTool('kubeconform', ['-strict', '-schema-location', schema], text);
    },
  );
});

describe('for the druid-operator', () => {
  /** `AdditionalContainer` in apis/druid/v1alpha1/druid_types.go of datainfrahq/druid-operator. */
  const FIELDS = [
    'runAsInit',
    'image',
    'containerName',
    'command',
    'imagePullPolicy',
    'args',
    'securityContext',
  ];
  const MORE_FIELDS = ['resources', 'volumeMounts', 'env', 'envFrom'];

  test('the container has the fields that there are, and those that are needed', async () => {
    const { spec } = await readDeployed<Manifest>('druid-operator/patch.yaml');
    for (const container of spec.nodes.routers.additionalContainer) {
      expect(Object.keys(container).filter((name) => ![...FIELDS, ...MORE_FIELDS].includes(name))).toEqual(
        [],
      );
      expect(container).toMatchObject({ image: 'druid-gateway', containerName: expect.any(String) });
      const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
      const [entry = '[]', command = '[]'] = ['ENTRYPOINT', 'CMD'].map(
        (name) => new RegExp(`^${name} (.*)$`, 'm').exec(dockerfile)?.[1],
      );
      expect(container.command).toEqual([...JSON.parse(entry), ...JSON.parse(command)]);
    }
  });

  test.runIf(HAS_GO_TOOLS && HAS_SCHEMAS)(
    'the pod that the operator makes of it is what Kubernetes takes',
    async () => {
      const [{ spec }, config] = await Promise.all([
        readDeployed<Manifest>('druid-operator/patch.yaml'),
        readDeployed<Manifest>('druid-operator/configmap.yaml'),
      ]);
      const { routers } = spec.nodes;
      const containers = routers.additionalContainer.map(
        ({ containerName, ...container }: { containerName: string }) => ({
          name: containerName,
          ...container,
        }),
      );
      const { volumes, terminationGracePeriodSeconds, services } = routers;
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'druid-routers-0' },
        spec: { terminationGracePeriodSeconds, containers, volumes },
      };
      const service = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'gateway' },
        spec: services[0].spec,
      };
      const schema = join(schemasFolder(), NEWEST, '{{.ResourceKind}}{{.KindSuffix}}.json');
      const text = [pod, service, config].map((document) => stringify(document)).join('---\n');
      await runTool('kubeconform', ['-strict', '-schema-location', schema], text);
      const { listen, shutdown } = await configIn([
        { ...config, metadata: { ...config.metadata, name: 'x-config' } },
      ]);
      expect(services[0].spec.ports[0].targetPort).toBe(listen.port);
      expect(terminationGracePeriodSeconds * 1000).toBeGreaterThan(shutdown.delay + shutdown.drain + 10_000);
    },
  );
});
