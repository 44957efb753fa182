import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureZooKeeperJars } from '../../../tools/druid-cluster/artifacts.ts';
import {
  type Ensemble,
  type EnsembleOptions,
  PORTS_OF_SERVER,
  startZooKeeperEnsemble,
} from '../../../tools/druid-cluster/zookeeper-ensemble.ts';
import { testPorts } from '../net/ports.ts';

export type {
  Ensemble,
  EnsembleOptions,
  EnsembleServer,
} from '../../../tools/druid-cluster/zookeeper-ensemble.ts';

/** Real ZooKeeper servers on ports that no other test takes, in a folder that goes with them. */
export async function startEnsemble(options: EnsembleOptions): Promise<Ensemble> {
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-zookeeper-'));
  const ensemble = await startZooKeeperEnsemble(options, {
    folder,
    classPath: await ensureZooKeeperJars(),
    ports: await testPorts(PORTS_OF_SERVER * options.servers),
  });
  return {
    ...ensemble,
    async close() {
      await ensemble.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
