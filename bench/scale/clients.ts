import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { DiscoverySnapshot } from '../../src/discovery/discovery.ts';
import {
  createZooKeeperDiscovery,
  type ZooKeeperDiscovery,
} from '../../src/discovery/zookeeper/discovery.ts';
import { createInternalErrors } from '../../src/faults/internal-errors.ts';
import type { Command, Expectation, Report } from './client-messages.ts';

/** Many clients of discovery in one process, each with a ZooKeeper session of its own, as its parent commands. */

const sockets = new Set<Socket>();
/** Bytes of sockets that are closed. */
let before = { in: 0, out: 0 };
subscribe('net.client.socket', (message) => {
  const { socket } = message as { readonly socket: Socket };
  sockets.add(socket);
  socket.once('close', () => {
    sockets.delete(socket);
    before = { in: before.in + socket.bytesRead, out: before.out + socket.bytesWritten };
  });
});

interface Client {
  readonly discovery: ZooKeeperDiscovery;
  /** When it knew what is expected, in epoch milliseconds; null before. */
  knewAt: number | null;
}

const clients: Client[] = [];
let expectation: Expectation | null = null;
let missing = 0;
let snapshots = 0;
let faults = 0;
let disconnects = 0;

const now = (): number => performance.timeOrigin + performance.now();
const tell = (report: Report): void => void process.send?.(report);
const errors = createInternalErrors({ error: () => void faults++ });

function isMet({ complete, latches, announcements }: DiscoverySnapshot, expected: Expectation): boolean {
  if (!complete) return false;
  switch (expected.of) {
    case 'leader':
      return latches?.coordinator.participants[0]?.origin === expected.origin;
    case 'brokers':
      return announcements.broker.length >= expected.count;
    case 'marker':
      // It sorts before all others.
      return announcements.broker[0]?.hostAndPort === expected.hostAndPort;
  }
}

function look(client: Client): void {
  if (expectation === null || client.knewAt !== null) return;
  if (!isMet(client.discovery.snapshot, expectation)) return;
  client.knewAt = now();
  missing--;
  if (missing === 0) tell({ kind: 'known', times: clients.map(({ knewAt }) => knewAt ?? 0) });
}

function open(count: number, { connect, basePath, spreadMs }: Extract<Command, { do: 'open' }>): void {
  for (let i = 0; i < count; i++) {
    const discovery = createZooKeeperDiscovery({
      connect,
      basePath,
      coordinatorPath: `${basePath}/coordinator`,
      sessionTimeoutMs: 30_000,
      errors,
      ...(spreadMs === undefined ? {} : { pauseMs: () => Math.random() * spreadMs }),
    });
    const client: Client = { discovery, knewAt: null };
    discovery.on('snapshot', () => {
      snapshots++;
      look(client);
    });
    discovery.on('fault', () => {
      faults++;
    });
    discovery.on('status', ({ state }) => {
      if (state === 'suspended' || state === 'lost') disconnects++;
    });
    clients.push(client);
    discovery.start();
  }
}

process.on('message', (command: Command) => {
  switch (command.do) {
    case 'expect':
      expectation = command.expectation;
      missing = clients.length;
      for (const client of clients) client.knewAt = null;
      tell({ kind: 'waits' });
      for (const client of clients) look(client);
      return;
    case 'open':
      open(command.count, command);
      return;
    case 'report': {
      let bytesIn = before.in;
      let bytesOut = before.out;
      for (const { bytesRead, bytesWritten } of sockets) {
        bytesIn += bytesRead;
        bytesOut += bytesWritten;
      }
      tell({ kind: 'figures', bytesIn, bytesOut, snapshots, faults, disconnects });
      return;
    }
  }
});
process.on('disconnect', () => process.exit(0));
