import { afterAll, beforeAll } from 'vitest';
import { testSource } from '../kit/discovery/source-suite.ts';
import { startZooKeeperRig } from '../kit/discovery/zookeeper-rig.ts';
import { type Ensemble, startEnsemble } from '../kit/zookeeper/zookeeper.ts';
import { connectWriter, type Writer } from '../kit/zookeeper/zookeeper-writer.ts';

let ensemble: Ensemble;
let writer: Writer;

beforeAll(async () => {
  ensemble = await startEnsemble({ servers: 1 });
  writer = await connectWriter(ensemble.connect);
});

afterAll(async () => {
  writer.close();
  await ensemble.close();
});

testSource('ZooKeeper', {
  start() {
    const [server] = ensemble.servers;
    if (server === undefined) throw new Error('no server');
    return startZooKeeperRig(server.port, writer);
  },
  cuts: 100,
});
