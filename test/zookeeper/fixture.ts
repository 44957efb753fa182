import {
  createZooKeeperDiscovery,
  type ZooKeeperDiscovery,
  type ZooKeeperDiscoveryOptions,
} from '../../src/discovery/zookeeper/discovery.ts';
import { recordErrors } from '../kit/gateway/recorded-errors.ts';
import type { Writer } from '../kit/zookeeper/zookeeper-writer.ts';

const open = new Set<ZooKeeperDiscovery>();

/** A discovery that the test's end closes. */
export function discover(
  connect: string,
  options: Partial<ZooKeeperDiscoveryOptions> = {},
): ZooKeeperDiscovery {
  const discovery = createZooKeeperDiscovery({
    connect,
    // Longer than any server takes to come back: what is about shorter ones says so.
    sessionTimeoutMs: 20_000,
    basePath: '/druid',
    errors: recordErrors(),
    coordinatorPath: '/druid/coordinator',
    ...options,
  });
  open.add(discovery);
  discovery.start();
  return discovery;
}

export async function closeAll(): Promise<void> {
  await Promise.all([...open].map((discovery) => discovery.close()));
  open.clear();
}

/** Resolves once this is true, asked anew with every snapshot and status; says what is when that takes a minute. */
export function until(discovery: ZooKeeperDiscovery, holds: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      discovery.off('snapshot', look);
      discovery.off('status', look);
    };
    const look = (): void => {
      if (!holds()) return;
      end();
      resolve();
    };
    const timer = setTimeout(() => {
      end();
      const { status, snapshot } = discovery;
      reject(new Error(`not within a minute, ${holds}: ${JSON.stringify({ status, snapshot })}`));
    }, 60_000);
    discovery.on('snapshot', look);
    discovery.on('status', look);
    look();
  });
}

export const LATCHES = {
  coordinator: '/druid/coordinator/_COORDINATOR',
  overlord: '/druid/overlord/_OVERLORD',
} as const;
export const BROKERS = '/druid/internal-discovery/BROKER';

/** A cluster of one node for each role, as ZooKeeper shows it. */
export async function populate(writer: Writer, chroot = ''): Promise<void> {
  await writer.elect(chroot + LATCHES.coordinator, 'http://127.0.0.1:8081');
  await writer.elect(chroot + LATCHES.overlord, 'http://127.0.0.1:8090');
  await writer.announce(`${chroot}/druid/internal-discovery/COORDINATOR`, 'coordinator', 8081);
  await writer.announce(`${chroot}/druid/internal-discovery/OVERLORD`, 'overlord', 8090);
  await writer.announce(chroot + BROKERS, 'broker', 8082);
}

export function brokersOf({ snapshot }: ZooKeeperDiscovery): string[] {
  return snapshot.announcements.broker.map(({ hostAndPort }) => hostAndPort);
}

/** Origins of the Coordinators' latch, in order. */
export function latchOf({ snapshot }: ZooKeeperDiscovery): (string | null)[] {
  return snapshot.latches?.coordinator.participants.map(({ origin }) => origin) ?? [];
}
