import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ACL, CreateMode, Id, Permission } from 'node-zookeeper-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../src/doctor/examine.ts';
import { diagnosed, evidenceOf, wrongOf } from '../kit/doctor.ts';
import { startGatewayFromSources } from '../kit/gateway/gateway-process.ts';
import { type Certificates, makeCertificates } from '../kit/net/certificates.ts';
import { testPorts } from '../kit/net/ports.ts';
import { type DruidLikeCluster, startDruidLike } from '../kit/upstream/druid-like.ts';
import { type Ensemble, startEnsemble } from '../kit/zookeeper/zookeeper.ts';
import { connectWriter, type Writer } from '../kit/zookeeper/zookeeper-writer.ts';

/** What is true of Druid-like processes, whose properties nobody can read, and of a single server. */
const ALONE = 'ha.zookeeper FAIL';
const BROKERS = '/druid/internal-discovery/BROKER';

let folder: string;
let certificates: Certificates;
let ensemble: Ensemble;
let single: Ensemble;
let cluster: DruidLikeCluster;
let lonely: DruidLikeCluster;
let writer: Writer;
let aloneWriter: Writer;

const ROLES = ['coordinator', 'coordinator', 'overlord', 'overlord', 'broker', 'broker'] as const;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'druid-gateway-doctor-'));
  certificates = await makeCertificates(folder);
  const { server, ca } = certificates;
  ensemble = await startEnsemble({ servers: 3 });
  single = await startEnsemble({ servers: 1, tls: { keyStore: server, trustStore: ca } });
  cluster = await startDruidLike({ zookeeper: ensemble.connect, roles: ROLES, sessionTimeoutMs: 20_000 });
  lonely = await startDruidLike({
    zookeeper: single.connect,
    roles: ['masters', 'masters', 'broker', 'broker'],
    sessionTimeoutMs: 20_000,
  });
  writer = await connectWriter(ensemble.connect);
  aloneWriter = await connectWriter(single.connect);
});

afterAll(async () => {
  writer.close();
  aloneWriter.close();
  await Promise.all([cluster.close(), lonely.close()]);
  await Promise.all([ensemble.close(), single.close()]);
  await rm(folder, { recursive: true });
});

/** Puts a znode, runs this, and takes the znode away again. */
async function withNode<T>(
  by: Writer,
  path: string,
  data: string | Buffer,
  run: () => Promise<T>,
): Promise<T> {
  const made = await by.put(path, data, CreateMode.EPHEMERAL);
  try {
    return await run();
  } finally {
    await by.remove(made);
  }
}

function announcement(nodeType: string, host: string, port: number): string {
  const druidNode = { service: `druid/${nodeType}`, host, plaintextPort: port, tlsPort: -1 };
  return JSON.stringify({ druidNode, nodeType, services: {} });
}

describe('an ensemble of three', () => {
  test('with a whole cluster has nothing wrong', async () => {
    const report = await diagnosed(ensemble.connect);
    expect(wrongOf(report)).toEqual([]);
    expect(evidenceOf(report, 'ha.zookeeper')).toBe('3 voters');
    expect(evidenceOf(report, 'zk.ensemble')).toMatch(/^3 voters, quorum 2, 0 observers: .* leader/);
    expect(evidenceOf(report, 'zk.session')).toBe('asked for 30s, granted 30s');
    expect(evidenceOf(report, 'zk.path')).toContain('both latches');
    expect(evidenceOf(report, 'ha.redirect')).toBe('2 masters redirect to the leader');
  });

  test('is not known whole to a connect string that names one of it', async () => {
    const [first] = ensemble.connect.split(',');
    const report = await diagnosed(first ?? '');
    expect(wrongOf(report)).toEqual(['zk.ensemble WARN']);
    expect(evidenceOf(report, 'zk.ensemble')).toContain('names 1 of 3 members');
  });

  test('grants a shorter session than is asked for', async () => {
    const report = await diagnosed(ensemble.connect, { ZOOKEEPER__SESSION_TIMEOUT: '2m' });
    expect(wrongOf(report)).toEqual(['zk.session WARN']);
    expect(evidenceOf(report, 'zk.session')).toBe('asked for 2m, granted 1m');
  });
});

describe('paths', () => {
  test('another base path is told with the one that has a cluster', async () => {
    const report = await diagnosed(ensemble.connect, { ZOOKEEPER__BASE_PATH: '/druid-prod' });
    expect(wrongOf(report)).toEqual(['zk.path FAIL']);
    expect(evidenceOf(report, 'zk.path')).toBe(
      "/druid-prod does not exist; what looks like Druid's is at /druid",
    );
  });

  test('a chroot that is not there is told likewise', async () => {
    const report = await diagnosed(`${ensemble.connect}/prod`);
    expect(evidenceOf(report, 'zk.path')).toContain("what looks like Druid's is at /druid");
  });

  test('a latch of Coordinators that is elsewhere is named', async () => {
    const report = await diagnosed(ensemble.connect, { ZOOKEEPER__COORDINATOR_PATH: '/druid/masters' });
    expect(wrongOf(report)).toEqual(['zk.path FAIL']);
    expect(evidenceOf(report, 'zk.path')).toBe(
      "there is no latch of Coordinators in /druid/masters; what looks like Druid's is at /druid/coordinator",
    );
  });
});

describe('what is announced', () => {
  test('rubbish is named with its path', async () => {
    const report = await withNode(writer, `${BROKERS}/rubbish`, '<html>', () => diagnosed(ensemble.connect));
    expect(wrongOf(report)).toEqual(['zk.compression FAIL']);
    expect(evidenceOf(report, 'zk.compression')).toContain(`${BROKERS}/rubbish is no JSON object`);
  });

  test('compressed and plain may be mixed', async () => {
    const [broker] = cluster.of('broker');
    const json = gzipSync(announcement('broker', '127.0.0.1', broker?.port ?? 0));
    const report = await withNode(writer, `${BROKERS}/again`, json, () => diagnosed(ensemble.connect));
    expect(wrongOf(report)).toEqual([]);
    expect(evidenceOf(report, 'zk.compression')).toContain('1 compressed, 6 plain');
  });

  test('a name that nobody knows', async () => {
    const json = announcement('broker', 'broker-7.druid.invalid', 8082);
    const report = await withNode(writer, `${BROKERS}/unknown`, json, () => diagnosed(ensemble.connect));
    expect(wrongOf(report)).toEqual(['node.names FAIL', 'node.answers FAIL', 'ha.queryable WARN']);
    expect(evidenceOf(report, 'node.names')).toContain('broker-7.druid.invalid:8082');
  });

  test('a port on which nobody listens', async () => {
    const [port = 0] = await testPorts(1);
    const json = announcement('historical', '127.0.0.1', port);
    const path = '/druid/internal-discovery/HISTORICAL/x';
    const report = await withNode(writer, path, json, () => diagnosed(ensemble.connect));
    expect(wrongOf(report)).toEqual(['node.answers WARN']);
    expect(evidenceOf(report, 'node.answers')).toBe(`127.0.0.1:${port}: no connection`);
  });

  test('a node that discovery.allow refuses is asked nothing', async () => {
    const json = announcement('historical', 'stranger.invalid', 8083);
    const path = '/druid/internal-discovery/HISTORICAL/y';
    const report = await withNode(writer, path, json, () =>
      diagnosed(ensemble.connect, { DISCOVERY__ALLOW__NETWORKS: '["127.0.0.0/8"]' }),
    );
    expect(wrongOf(report)).toEqual(['node.allowed WARN']);
    expect(evidenceOf(report, 'node.allowed')).toContain('stranger.invalid:8083');
  });
});

describe('masters and Brokers', () => {
  test('two that say they lead', async () => {
    const rival = cluster.of('overlord')[1];
    await rival?.faults({ claimsToLead: true });
    const report = await diagnosed(ensemble.connect);
    await rival?.faults({});
    expect(wrongOf(report)).toEqual(['lead.agree FAIL', 'lead.rivals FAIL']);
    expect(evidenceOf(report, 'lead.rivals')).toContain(rival?.origin);
  });

  test('a leader that does not serve', async () => {
    const leader = cluster.of('coordinator')[0];
    await leader?.faults({ doesNotServe: true });
    const report = await diagnosed(ensemble.connect);
    await leader?.faults({});
    expect(wrongOf(report)).toEqual(['lead.agree FAIL', 'ha.redirect FAIL']);
  });

  test('a Broker that is frozen', async () => {
    const broker = cluster.of('broker')[0];
    await broker?.kill('SIGSTOP');
    const report = await diagnosed(ensemble.connect);
    await broker?.kill('SIGCONT');
    expect(wrongOf(report)).toEqual(['node.answers FAIL', 'ha.brokers FAIL', 'ha.queryable WARN']);
    expect(evidenceOf(report, 'node.answers')).toContain(`${broker?.hostAndPort}: no answer`);
  });

  test('a latch that changes again and again while doctor watches', async () => {
    const path = '/elsewhere';
    const elect = (): Promise<string> => writer.elect(`${path}/_COORDINATOR`, 'http://127.0.0.1:1');
    let watching = true;
    let leader = await elect();
    const running = diagnosed(
      ensemble.connect,
      { ZOOKEEPER__COORDINATOR_PATH: path },
      { watchMs: 4_000 },
    ).finally(() => {
      watching = false;
    });
    while (watching) {
      const next = await elect();
      await writer.remove(leader);
      leader = next;
    }
    const report = await running;
    await writer.remove(leader);
    expect(evidenceOf(report, 'lead.stable')).toMatch(
      /^Coordinator: \d+ changes in 4s\. Overlord: 0 changes/,
    );
    expect(wrongOf(report)).toContain('lead.stable FAIL');
  });

  test('a latch that points nowhere', async () => {
    const path = '/nowhere';
    const [port = 0] = await testPorts(1);
    const first = await writer.elect(`${path}/_COORDINATOR`, `http://127.0.0.1:${port}`);
    const report = await diagnosed(ensemble.connect, { ZOOKEEPER__COORDINATOR_PATH: path });
    await writer.remove(first);
    expect(wrongOf(report)).toContain('lead.latch FAIL');
    expect(evidenceOf(report, 'lead.latch')).toContain(
      `points to http://127.0.0.1:${port}, which does not answer`,
    );
  });

  test('a latch that nobody is in', async () => {
    await writer.put('/empty/_COORDINATOR');
    const report = await diagnosed(ensemble.connect, { ZOOKEEPER__COORDINATOR_PATH: '/empty' });
    expect(wrongOf(report)).toContain('lead.latch FAIL');
    expect(evidenceOf(report, 'lead.latch')).toContain('nobody is elected');
  });
});

describe('a single server', () => {
  test('is told as such', async () => {
    expect(wrongOf(await diagnosed(single.connect))).toEqual([ALONE]);
  });

  test('next to another one that knows nothing of it is no ensemble', async () => {
    const other = await startEnsemble({ servers: 1 });
    const report = await diagnosed(`${single.connect},${other.connect}`);
    await other.close();
    expect(wrongOf(report)).toEqual(['zk.ensemble FAIL', ALONE]);
  });

  test('that keeps announcements from strangers is read with the user that wrote them', async () => {
    const secured = await connectWriter(single.connect, 'druid:secret');
    const path = `${BROKERS}/kept`;
    const [broker] = lonely.of('broker');
    await secured.put(path, announcement('broker', '127.0.0.1', broker?.port ?? 0), CreateMode.EPHEMERAL);
    const creatorAll = [new ACL(Permission.ALL, new Id('auth', ''))];
    await new Promise<void>((resolve, reject) => {
      secured.client.setACL(path, creatorAll, -1, (error) => (error ? reject(error) : resolve()));
    });
    const user = { ZOOKEEPER__AUTH__USER: 'druid' };
    const [stranger, wrong, right] = [
      await diagnosed(single.connect),
      await diagnosed(single.connect, { ...user, ZOOKEEPER__AUTH__PASSWORD: 'guessed' }),
      await diagnosed(single.connect, { ...user, ZOOKEEPER__AUTH__PASSWORD: 'secret' }),
    ];
    secured.close();
    expect(wrongOf(stranger)).toEqual(['zk.access FAIL', ALONE]);
    expect(evidenceOf(stranger, 'zk.access')).toBe(`may not be read without zookeeper.auth: ${path}`);
    expect(evidenceOf(wrong, 'zk.access')).toBe(`may not be read as druid: ${path}`);
    expect(wrongOf(right)).toEqual([ALONE, 'gw.settings WARN']);
    expect(JSON.stringify([stranger, wrong, right])).not.toMatch(/secret|guessed/);
  });
});

describe('TLS', () => {
  const secure = (): string => `127.0.0.1:${single.servers[0]?.securePort}`;
  const client = (): Record<string, string> => ({
    ZOOKEEPER__TLS__CERT_FILE: certificates.clientCert,
    ZOOKEEPER__TLS__KEY_FILE: certificates.clientKey,
  });

  test('of a server that is trusted is told with the days left', async () => {
    const report = await diagnosed(secure(), { ...client(), ZOOKEEPER__TLS__CA_FILE: certificates.ca });
    expect(wrongOf(report)).toEqual(['zk.tls WARN', ALONE]);
    expect(evidenceOf(report, 'zk.tls')).toMatch(/^ends soon: 127\.0\.0\.1:\d+ 1 days$/);
  });

  test('of a server that an unknown authority signed', async () => {
    const report = await diagnosed(secure(), {
      ...client(),
      ZOOKEEPER__TLS__CA_FILE: certificates.strangerCa,
    });
    expect(wrongOf(report)).toEqual(['zk.servers FAIL', 'zk.tls FAIL']);
    expect(evidenceOf(report, 'zk.tls')).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED/);
  });

  test('is not spoken with a port that has it', async () => {
    expect(wrongOf(await diagnosed(secure()))).toEqual(['zk.servers FAIL']);
  });
});

test('a running gateway sees the same, and gives the report itself', async () => {
  const gateway = await startGatewayFromSources(
    { ZOOKEEPER__SESSION_TIMEOUT: '20s' },
    '--zookeeper',
    ensemble.connect,
  );
  try {
    await gateway.until(({ leaders: { coordinator, overlord }, brokers }) => {
      const ready = brokers.filter((broker) => broker.ready);
      return coordinator.state === 'serving' && overlord.state === 'serving' && ready.length === 2;
    });
    const response = await fetch(`${gateway.admin}/doctor`);
    const report = (await response.json()) as Report;
    expect(response.status).toBe(200);
    expect(wrongOf(report)).toEqual([]);
    expect(evidenceOf(report, 'gw.view')).toBe('both leaders and 2 Brokers');
  } finally {
    await gateway.stop();
  }
});

/** Last, since nothing is left after it. */
describe('servers that fail', () => {
  test('one of three is a warning, and two are the end', async () => {
    await ensemble.servers[0]?.kill('SIGKILL');
    await ensemble.serving(2);
    const one = await diagnosed(ensemble.connect);
    expect(wrongOf(one)).toEqual(['zk.servers WARN', 'zk.ensemble WARN']);
    expect(evidenceOf(one, 'zk.servers')).toContain('ECONNREFUSED (2 of 3 answer)');
    await ensemble.servers[1]?.kill('SIGKILL');
    const last = ensemble.servers[2];
    while (!(await last?.ask('srvr'))?.includes('not currently serving')) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const two = await diagnosed(ensemble.connect);
    expect(wrongOf(two)).toEqual(['zk.servers FAIL', 'zk.ensemble FAIL']);
    expect(evidenceOf(two, 'zk.ensemble')).toContain(`no quorum: 127.0.0.1:${last?.port}`);
  });

  test('one that is frozen is told within seconds', async () => {
    await single.servers[0]?.kill('SIGSTOP');
    const began = performance.now();
    const report = await diagnosed(single.connect);
    expect(performance.now() - began).toBeLessThan(10_000);
    await single.servers[0]?.kill('SIGCONT');
    expect(wrongOf(report)).toEqual(['zk.servers FAIL']);
  });
});
