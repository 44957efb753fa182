import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDruidJars } from '../../tools/druid-cluster/artifacts.ts';
import { LOG4J_CONFIGURATION } from '../../tools/druid-cluster/druid-properties.ts';
import { freePorts } from '../../tools/druid-cluster/ports.ts';
import { answers200, waitFor } from '../../tools/druid-cluster/wait.ts';
import { outputOf, type Peer, type Place, startPinned } from './peer.ts';

/** As Druid's documentation has it for a Router of a small cluster, with C2 and G1 as in its example flags. */
const FLAGS = [
  '-server',
  '-Xms1g',
  '-Xmx1g',
  '-XX:+UseG1GC',
  '-XX:MaxDirectMemorySize=256m',
  '-Duser.timezone=UTC',
  '-Dfile.encoding=UTF-8',
  ...['lang', 'nio', 'io', 'math', 'util'].map((name) => `--add-opens=java.base/java.${name}=ALL-UNNAMED`),
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
  '--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED',
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
];

function properties(port: number, place: Place): string {
  return [
    'druid.extensions.loadList=[]',
    `druid.zk.service.host=${place.zookeeper.connect}`,
    `druid.zk.paths.base=${place.zookeeper.basePath}`,
    'druid.host=127.0.0.1',
    `druid.plaintextPort=${port}`,
    'druid.service=druid/router',
    'druid.router.managementProxy.enabled=true',
    'druid.router.defaultBrokerServiceName=druid/broker',
    'druid.router.coordinatorServiceName=druid/coordinator',
    'druid.router.http.numConnections=50',
    'druid.router.http.numMaxThreads=100',
    'druid.router.http.readTimeout=PT5M',
    'druid.server.http.numThreads=100',
    'druid.emitter=noop',
    'druid.monitoring.monitors=[]',
    'druid.request.logging.type=file',
    `druid.request.logging.dir=${join(place.folder, 'requests')}`,
    '',
  ].join('\n');
}

async function answersQueries(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/druid/v2/sql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"SELECT 1"}',
      signal: AbortSignal.timeout(2_000),
    });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** The real Router of Druid, which follows the same ZooKeeper. */
export const router: Peer = {
  name: 'router',
  about:
    "Druid's own, with a heap of 1 GB, G1, connections and threads as its documentation recommends, management proxy and request log (queries only) on, no emitter",
  setups: ['relay', 'brokers1000'],
  gateway: false,
  follows: true,
  warmUpSeconds: 25,
  async missing() {
    if ((await outputOf('java', '-version')) === null) return 'there is no java';
    return (await outputOf('mvn', '-v')) === null ? 'there is no mvn' : null;
  },
  version: async () => '33.0.0',
  async start(_setup, place) {
    const [port = 0] = await freePorts(1);
    const { folder } = place;
    const classPath = await ensureDruidJars((line) => process.stdout.write(`${line}\n`));
    await mkdir(join(folder, 'tmp'), { recursive: true });
    await writeFile(join(folder, 'runtime.properties'), properties(port, place));
    await writeFile(join(folder, 'log4j2.xml'), LOG4J_CONFIGURATION);
    const started = await startPinned(place, 'router', 'java', [
      ...FLAGS,
      `-Djava.io.tmpdir=${join(folder, 'tmp')}`,
      `-Dlog4j.configurationFile=${join(folder, 'log4j2.xml')}`,
      '-cp',
      `${folder}:${classPath}`,
      'org.apache.druid.cli.Main',
      'server',
      'router',
    ]);
    const url = `http://127.0.0.1:${port}`;
    const ready = async (): Promise<boolean> =>
      (await answers200(`${url}/druid/coordinator/v1/isLeader`)) && (await answersQueries(url));
    await waitFor('the Router', ready, {
      timeoutMs: 240_000,
      process: started,
      signal: place.signal,
    });
    return { url, process: started };
  },
};
