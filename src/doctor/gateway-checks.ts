import { dangerousSettings } from '../config/dangerous-settings.ts';
import type { Config } from '../config/schema.ts';
import { formatDuration } from '../config/units.ts';
import { MASTER_ROLES } from '../discovery/discovery.ts';
import { parsePeriod } from '../time/intervals.ts';
import { version } from '../version.ts';
import { type Check, fail, info, type Judgement, pass, skip, warn } from './check.ts';
import type { Facts, GatewayStatus } from './facts.ts';
import { withRole } from './node-checks.ts';
import { listed } from './printable.ts';

/** Defaults of Druid, in ms (`ServerConfig`, `ZkServiceConfig`, `K8sDiscoveryConfig`, `ConsulDiscoveryConfig`). */
const DRUID = {
  maxIdleTime: 300_000,
  defaultQueryTimeout: 300_000,
  sessionTimeoutMs: 30_000,
  leaseDuration: 60_000,
  retryPeriod: 5_000,
  leaderSessionTtl: 45_000,
  lockDelay: 5_000,
  healthCheckInterval: 10_000,
} as const;
const OPERATIONS = 'docs/operations.md';
const CONFIGURATION = 'docs/configuration.md';

/** Judges what a running gateway says, or skips where none runs. */
function ofGateway(judge: (status: GatewayStatus, facts: Facts) => Judgement): Check['run'] {
  return (facts) => {
    const { status, where } = facts.gateway;
    return status === null ? skip(`no gateway runs at ${where}`) : judge(status, facts);
  };
}

/** Judges the configuration of the gateway that runs, otherwise the one given. */
function ofConfig(judge: (config: Config, facts: Facts) => Judgement): Check['run'] {
  return (facts) => judge(facts.gateway.status?.config ?? facts.config, facts);
}

export const GATEWAY_CHECKS: readonly Check[] = [
  {
    id: 'gw.answers',
    title: 'A gateway runs and tells its state',
    remedy: 'Start it, or name its admin listener by --admin URL.',
    source: OPERATIONS,
    run: ({ gateway: { status, where, expected, detail } }) => {
      if (status === null) return (expected ? fail : info)(`${where}: ${detail ?? 'no answer'}`);
      const said = `${where} runs ${status.version}`;
      return status.version === version ? pass(said) : info(`${said}, doctor is of ${version}`);
    },
  },
  {
    id: 'gw.view',
    title: 'The gateway sees the leaders and the Brokers that doctor sees',
    remedy:
      'See `discovery` in its /status: it must be connected to the same ZooKeeper, with the same base path, and reach the nodes.',
    source: OPERATIONS,
    run: ofGateway(judgeView),
  },
  {
    id: 'gw.settings',
    title: 'No setting exposes what should not be exposed',
    remedy: 'Change the setting as its sentence says.',
    source: 'src/config/dangerous-settings.ts',
    run: ofConfig((config) => {
      const dangers = dangerousSettings(config);
      return dangers.length === 0 ? pass('none') : warn(listed(dangers.map(({ sentence }) => sentence)));
    }),
  },
  {
    id: 'gw.waiting',
    title: 'Requests wait for longer than an election takes',
    remedy:
      "Set parking.maxWait above the session timeout of Druid's masters, or lower druid.zk.service.sessionTimeoutMs; in Kubernetes above the lease and the time until a candidate looks (80 s by default), or lower druid.discovery.k8s.leaseDuration; with Consul above twice the time of a session (105 s in all), or lower druid.discovery.consul.leader.leaderSessionTtl.",
    source: CONFIGURATION,
    run: ofConfig(({ parking, discovery }, facts) => {
      const electionMs = electionTime(discovery.type, facts);
      const waits = MASTER_ROLES.map((role) => ({ role, ms: parking[role]?.maxWait ?? parking.maxWait }));
      const short = waits.filter(({ ms }) => ms < electionMs);
      const said = listed(waits.map(({ role, ms }) => `${role} ${formatDuration(ms)}`));
      const limit = `a master that dies without a word is replaced after ${formatDuration(electionMs)}`;
      return short.length === 0 ? pass(`${said}; ${limit}`) : warn(`${said}; ${limit}`);
    }),
  },
  {
    id: 'gw.keepalive',
    title: 'The gateway closes idle connections before the nodes do',
    remedy: 'Set upstream.keepAlive below druid.server.http.maxIdleTime of the nodes.',
    source: 'Druid: druid.server.http.maxIdleTime',
    run: ofConfig(({ upstream }, { properties }) => {
      const told = properties.flatMap(({ values }) => {
        const period = parsePeriod(values['druid.server.http.maxIdleTime'] ?? '');
        return period === null ? DRUID.maxIdleTime : period.milliseconds;
      });
      const shortest = told.length === 0 ? DRUID.maxIdleTime : Math.min(...told);
      const said = `upstream.keepAlive ${formatDuration(upstream.keepAlive)}, the nodes ${formatDuration(shortest)}`;
      return upstream.keepAlive < shortest ? pass(said) : warn(said);
    }),
  },
  {
    id: 'gw.timeouts',
    title: 'Timeouts are longer than what they wait for',
    remedy:
      'Raise upstream.responseTimeout above druid.server.http.defaultQueryTimeout, and leadership.probeTimeout and health.brokerProbeTimeout to twice what probes take.',
    source: CONFIGURATION,
    run: ofConfig(judgeTimeouts),
  },
];

function judgeView(status: GatewayStatus, { leadership, nodes }: Facts): Judgement {
  const wrong = MASTER_ROLES.flatMap((role) => {
    const { latch, answers } = leadership[role];
    const ours = latch?.[0]?.origin ?? answers.find(({ claim }) => claim === 'leads')?.origin ?? null;
    const { node, state } = status.leaders[role];
    if (ours === null) return [];
    if (node === null || !ours.endsWith(`//${node}`))
      return [`${role}: the gateway has ${node ?? 'nobody'}, doctor ${ours}`];
    return state === 'serving' ? [] : [`${role}: ${node} is ${state}`];
  });
  if (wrong.length > 0) return fail(listed(wrong));
  const ready = new Set(status.brokers.filter((broker) => broker.ready).map(({ node }) => node));
  const ours = withRole(nodes, 'broker').filter(({ readiness }) => readiness === 200);
  const missing = ours.filter(({ hostAndPort }) => !ready.has(hostAndPort));
  if (missing.length > 0) {
    return warn(
      `ready here and not for the gateway: ${listed(missing.map(({ hostAndPort }) => hostAndPort))}`,
    );
  }
  return status.discovery.state === 'connected'
    ? pass(`both leaders and ${ready.size} Brokers`)
    : warn(`its discovery is ${status.discovery.state}`);
}

/** What a master's session lasts: as asked for, but not longer than ZooKeeper grants. */
function sessionTimeout({ properties, zookeeper }: Facts): number {
  const asked = properties
    .map(({ values }) => Number(values['druid.zk.service.sessionTimeoutMs'] ?? DRUID.sessionTimeoutMs))
    .filter((ms) => ms > 0);
  const longest = asked.length === 0 ? DRUID.sessionTimeoutMs : Math.max(...asked);
  const granted = (zookeeper?.servers ?? []).flatMap(({ grantedTimeoutMs }) => grantedTimeoutMs ?? []);
  const isLess = granted.some((ms) => ms < (zookeeper?.requestedTimeoutMs ?? 0));
  return isLess ? Math.min(longest, Math.max(...granted)) : longest;
}

/** What it takes at worst until another one leads, in ms, by the source of discovery. */
function electionTime(source: Config['discovery']['type'], facts: Facts): number {
  const told = (name: string, fallback: number): number => {
    const values = facts.properties.map(
      ({ values }) => parsePeriod(values[name] ?? '')?.milliseconds ?? fallback,
    );
    return values.length === 0 ? fallback : Math.max(...values);
  };
  switch (source) {
    case 'kubernetes':
      // A candidate waits for a whole lease since it saw the record change, and looks now and then (`LeaderElector`).
      return (
        told('druid.discovery.k8s.leaseDuration', DRUID.leaseDuration) +
        4 * told('druid.discovery.k8s.retryPeriod', DRUID.retryPeriod)
      );
    case 'consul':
      // Consul keeps a session for twice its time, and locks its key for a while (`ConsulLeaderSelector`).
      return (
        2 * told('druid.discovery.consul.leader.leaderSessionTtl', DRUID.leaderSessionTtl) +
        DRUID.lockDelay +
        told('druid.discovery.consul.service.healthCheckInterval', DRUID.healthCheckInterval)
      );
    default:
      return sessionTimeout(facts);
  }
}

function judgeTimeouts({ upstream, leadership, health }: Config, { properties, nodes }: Facts): Judgement {
  const told = properties
    .map(({ values }) => Number(values['druid.server.http.defaultQueryTimeout'] ?? DRUID.defaultQueryTimeout))
    .filter((ms) => ms > 0);
  const queryMs = told.length === 0 ? DRUID.defaultQueryTimeout : Math.max(...told);
  const answerMs = upstream.byClass.query?.responseTimeout ?? upstream.responseTimeout;
  const slowest = Math.max(0, ...nodes.map(({ latencyMs }) => latencyMs ?? 0));
  const probeMs = Math.min(leadership.probeTimeout, health.brokerProbeTimeout);
  const wrong = [
    ...(answerMs !== 0 && answerMs < queryMs
      ? [`answers are waited for ${formatDuration(answerMs)}, queries may take ${formatDuration(queryMs)}`]
      : []),
    ...(probeMs < 2 * slowest
      ? [`probes may take ${formatDuration(probeMs)}, a node took ${slowest}ms`]
      : []),
  ];
  if (wrong.length > 0) return warn(listed(wrong));
  return pass(
    `answers ${answerMs === 0 ? 'without limit' : formatDuration(answerMs)}, queries ${formatDuration(queryMs)}, probes ${formatDuration(probeMs)}`,
  );
}
