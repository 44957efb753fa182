import { join } from 'node:path';

/** The roles of the processes that a cluster is made of. */
export type DruidRole = 'coordinator' | 'overlord' | 'broker' | 'historical' | 'indexer' | 'router';

export interface DruidNodeSpec {
  readonly role: DruidRole;
  /** `coordinator-1`: its folder. */
  readonly name: string;
  readonly port: number;
  /** `druid.service`, where it is not as usual. */
  readonly service?: string;
  /** On Derby each master starts a server of its own, which nobody uses: it takes the store's down with it otherwise. */
  readonly idleDerbyPort: number;
}

/** What all processes of a cluster have in common. */
export interface ClusterPlaces {
  readonly folder: string;
  /** `druid.zk.service.host`, by the name of the process: each can have a link of its own. */
  zookeeper(name: string): string;
  /** Properties of the metadata store. */
  metadata(spec: DruidNodeSpec): readonly string[];
}

const METADATA = 'druid.metadata.storage';

/** Properties for one Derby server that all masters use. */
export function derbyMetadata(folder: string, derbyPort: number): ClusterPlaces['metadata'] {
  return ({ idleDerbyPort }) => [
    `${METADATA}.type=derby`,
    `${METADATA}.connector.connectURI=jdbc:derby://127.0.0.1:${derbyPort}/${join(folder, 'derby')};create=true`,
    `${METADATA}.connector.host=127.0.0.1`,
    `${METADATA}.connector.port=${idleDerbyPort}`,
  ];
}

/** Properties for PostgreSQL at a JDBC URL. */
export function postgresqlMetadata(uri: string, user: string, password: string): ClusterPlaces['metadata'] {
  return () => [
    `${METADATA}.type=postgresql`,
    `${METADATA}.connector.connectURI=${uri}`,
    `${METADATA}.connector.user=${user}`,
    `${METADATA}.connector.password=${password}`,
  ];
}

const ROLE_PROPERTIES: Readonly<Record<DruidRole, readonly string[]>> = {
  coordinator: [
    'druid.coordinator.startDelay=PT1S',
    'druid.coordinator.period=PT1S',
    'druid.manager.segments.pollDuration=PT1S',
    'druid.coordinator.asOverlord.enabled=false',
  ],
  overlord: [
    'druid.indexer.queue.startDelay=PT0.2S',
    'druid.indexer.runner.type=httpRemote',
    'druid.indexer.storage.type=metadata',
  ],
  broker: [
    'druid.sql.planner.metadataRefreshPeriod=PT1S',
    // Above its limit (25) a Broker throws idle connections out to make room, and refuses new ones when none is idle.
    'druid.sql.avatica.maxConnections=1000',
    'druid.sql.avatica.maxStatementsPerConnection=10',
  ],
  historical: ['druid.segmentCache.announceIntervalMillis=0'],
  indexer: ['druid.worker.capacity=2'],
  router: [
    'druid.router.managementProxy.enabled=true',
    'druid.router.defaultBrokerServiceName=druid/broker',
    'druid.router.coordinatorServiceName=druid/coordinator',
  ],
};

/** Properties of a role beyond those that every cluster has; they win over these. */
export type ExtraProperties = (role: DruidRole) => readonly string[];

/** `runtime.properties` of one process: everything small, quick and within the cluster's folder. */
export function runtimeProperties(
  spec: DruidNodeSpec,
  places: ClusterPlaces,
  extra: ExtraProperties = () => [],
): string {
  const { folder } = places;
  const own = join(folder, spec.name);
  const lines = [
    'druid.extensions.loadList=[]',
    `druid.zk.service.host=${places.zookeeper(spec.name)}`,
    'druid.zk.service.sessionTimeoutMs=5000',
    'druid.host=127.0.0.1',
    `druid.plaintextPort=${spec.port}`,
    `druid.service=${spec.service ?? `druid/${spec.role}`}`,
    ...places.metadata(spec),
    'druid.storage.type=local',
    `druid.storage.storageDirectory=${join(folder, 'segments')}`,
    'druid.indexer.logs.type=file',
    `druid.indexer.logs.directory=${join(folder, 'task-logs')}`,
    `druid.indexer.task.baseTaskDir=${join(own, 'tasks')}`,
    `druid.segmentCache.locations=[{"path":"${join(own, 'segment-cache')}","maxSize":"1g"}]`,
    'druid.processing.numThreads=1',
    'druid.processing.numMergeBuffers=2',
    'druid.processing.buffer.sizeBytes=20000000',
    'druid.server.http.numThreads=10',
    'druid.emitter=noop',
    'druid.monitoring.monitors=[]',
    'druid.lookup.enableLookupSyncOnStartup=false',
    ...ROLE_PROPERTIES[spec.role],
    ...extra(spec.role),
  ];
  return `${lines.join('\n')}\n`;
}

/** Log to standard output, which goes to a file: warnings, and who leads. */
export const LOG4J_CONFIGURATION = `<?xml version="1.0" encoding="UTF-8" ?>
<Configuration status="WARN">
  <Appenders>
    <Console name="Console" target="SYSTEM_OUT"><PatternLayout pattern="%d{ISO8601} %p [%t] %c{1} - %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Logger name="org.apache.druid.curator.discovery" level="info"/>
    <Root level="warn"><AppenderRef ref="Console"/></Root>
  </Loggers>
</Configuration>
`;

/** Flags of the Java virtual machine for a small Druid process on Java 17. */
export function javaFlags(role: DruidRole): string[] {
  const open = ['java.base/java.lang', 'java.base/java.nio', 'java.base/sun.nio.ch', 'java.base/java.io'];
  const exported = ['java.base/jdk.internal.misc', 'java.base/jdk.internal.ref'];
  return [
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    role === 'indexer' ? '-Xmx512m' : '-Xmx256m',
    '-XX:MaxDirectMemorySize=400m',
    '-Duser.timezone=UTC',
    '-Dfile.encoding=UTF-8',
    ...[...open, 'java.base/jdk.internal.ref'].map((name) => `--add-opens=${name}=ALL-UNNAMED`),
    ...exported.map((name) => `--add-exports=${name}=ALL-UNNAMED`),
  ];
}
