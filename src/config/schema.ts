import { type Static, Type } from 'typebox';
import { brokerSection } from './broker-schema.ts';
import {
  adminSection,
  corsSection,
  doorsSection,
  forwardedSection,
  limitsSection,
  listenSection,
} from './client-schema.ts';
import {
  consulSection,
  discoverySection,
  dnsSection,
  kubernetesSection,
  staticSection,
  zookeeperSection,
} from './discovery-schema.ts';
import { feedsSection } from './feeds-schema.ts';
import { LOG_LEVELS } from './log-levels.ts';
import {
  choice,
  count,
  duration,
  durationOrZero,
  file,
  flag,
  formatted,
  listOf,
  section,
  share,
  workers,
} from './schema-types.ts';
import { tracingSection } from './tracing-schema.ts';
import {
  modeSection,
  parkingSection,
  queriesSection,
  redirectSection,
  retriesSection,
  upstreamSection,
} from './upstream-schema.ts';

/** Section `leadership`: how leaders are checked. */
const leadershipSection = () =>
  section(
    {
      probeInterval: duration('How often a serving leader is asked whether it still leads.', 2_000, 100),
      probeTimeout: duration('How long each may take to say so.', 1_000, 10),
      confirmInterval: duration('How often an elected one is asked whether it serves yet.', 50, 10),
    },
    { description: 'How leaders are watched over, besides ZooKeeper.' },
  );

/** Section `health`: how Brokers and the gateway itself are checked. */
const healthSection = () =>
  section(
    {
      brokerProbeInterval: duration(
        'How often a Broker is asked whether it is ready, varied by a tenth either way.',
        1_000,
        100,
      ),
      brokerProbeTimeout: duration('How long each may take to say so.', 1_000, 10),
      outlier: section(
        {
          failures: count(
            "A Broker with so many failures in a row gets no requests for a while although its probes pass: no connection, a reset, or 502, 503 and 504 that are not Druid's own errors.",
            5,
            0,
            'a whole number from 0; 0 ejects nobody',
          ),
          ejection: duration(
            'How long the first time out is; each further one is twice as long.',
            10_000,
            100,
          ),
          maxEjection: duration('The longest time out.', 300_000, 100),
          maxEjectedShare: share(
            'The largest part of the ready Brokers of a service that may be out; beyond it, all ready ones are tried.',
            0.5,
          ),
        },
        { description: 'A Broker whose requests fail although its probes pass gets none for a while.' },
      ),
      slowStart: durationOrZero(
        'How long a Broker that has just come, or come back, gets less than its share of queries.',
        10_000,
        'gives every Broker its whole share at once',
      ),
      emptyGrace: durationOrZero(
        'How long the last known Brokers stay (if they pass their probes) when ZooKeeper suddenly lists none.',
        10_000,
        'believes an empty list at once',
      ),
      live: section(
        {
          maxStall: durationOrZero(
            '/health/live on the admin listener answers 503 for half a minute after the event loop of a process has been stuck for longer than this.',
            10_000,
            'is no limit',
          ),
          maxInternalErrors: count(
            'The same while there have been more internal errors than this in a minute.',
            100,
            0,
            'a whole number from 0; 0 is no limit',
          ),
        },
        {
          description:
            'When /health/live on the admin listener answers 503, for an orchestrator to start the gateway anew.',
        },
      ),
    },
    { description: 'How Brokers are watched over, besides ZooKeeper, and the gateway itself.' },
  );

/**
 * The single definition of the configuration: what may be written, the defaults, and the type used by the program.
 * `config/full.yaml` explains each key. The table in docs/configuration.md and `config/schema.json` are generated
 * from this.
 */
export const ConfigSchema = section({
  /** Resolved: `auto` becomes the number of cores. */
  workers: workers(
    'Processes that serve clients. More than 1 need a core each, share one source of discovery, and each has its part of the limits. `auto`: as many as there are cores.',
  ),
  listen: listenSection(),
  admin: adminSection(),
  discovery: discoverySection(),
  zookeeper: zookeeperSection(),
  kubernetes: kubernetesSection(),
  consul: consulSection(),
  dns: dnsSection(),
  static: staticSection(),
  upstream: upstreamSection(),
  queries: queriesSection(),
  brokers: brokerSection(),
  leadership: leadershipSection(),
  health: healthSection(),
  parking: parkingSection(),
  retries: retriesSection(),
  mode: modeSection(),
  redirect: redirectSection(),
  routes: section(
    {
      allow: listOf(
        'Prefixes of paths that are denied by default and are to be served, such as /druid/broker/v1/loadstatus.',
        formatted('One prefix.', 'path-prefix', 'a path that starts with a slash'),
        'a list of path prefixes',
      ),
    },
    { description: 'What is served besides what is by default.' },
  ),
  forwarded: forwardedSection(),
  cors: corsSection(),
  limits: limitsSection(),
  doors: doorsSection(),
  reload: section(
    {
      interval: durationOrZero(
        'How often the files of the configuration, and those of certificates and keys of the listeners, are looked at for changes.',
        10_000,
        'looks at none; SIGHUP and `POST /reload` remain',
      ),
    },
    { description: 'Changes of the configuration without a restart; see docs/operations.md.' },
  ),
  history: section(
    {
      file: Type.Optional(
        file(
          'The record of who led and when is kept here over restarts. Its folder must exist; one file for each gateway.',
          'a file that the gateway may write',
        ),
      ),
    },
    { description: 'The terms of leadership that the gateway has seen.' },
  ),
  feeds: feedsSection(),
  shutdown: section(
    {
      delay: durationOrZero(
        'From not ready to not listening: as long as a load balancer in front needs to notice.',
        0,
        'closes at once',
      ),
      drain: durationOrZero('For requests under way to end.', 30_000, 'waits for nothing'),
    },
    { description: 'From SIGTERM to the end.' },
  ),
  log: section(
    {
      level: choice('Lines of a lower level are not written.', [...LOG_LEVELS], 'info'),
      format: choice(
        'JSON for machines, text for people; auto: text on a terminal, otherwise JSON.',
        ['auto', 'json', 'text'],
        'auto',
      ),
      access: flag('One line for each request; without it only for answers that were not whole.', true),
      user: flag(
        'Whether the line of a request names its user: of `Authorization: Basic`, else of the client certificate. Names are personal data.',
        false,
      ),
      sampling: section(
        {
          ratio: share(
            'The share of lines that are written of what goes well: reads and queries that are answered in time, below status 400.',
            1,
          ),
          slow: durationOrZero(
            'A request that takes longer has its line in any case.',
            5_000,
            'is no reason for a line',
          ),
        },
        { description: 'Fewer lines of requests; a line says which share of its like it stands for.' },
      ),
    },
    { description: 'Lines on standard error.' },
  ),
  tracing: tracingSection(),
});

type DeepReadonly<T> = T extends readonly (infer I)[]
  ? readonly DeepReadonly<I>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** The configuration as the program sees it: complete, in milliseconds and bytes, frozen. */
export type Config = DeepReadonly<Static<typeof ConfigSchema>>;
export type ListenTls = NonNullable<Config['listen']['tls']>;
export type UpstreamTls = NonNullable<Config['upstream']['tls']>;
export type KubernetesSettings = NonNullable<Config['kubernetes']>;
export type ZooKeeperTlsFiles = NonNullable<Config['zookeeper']['tls']>;
