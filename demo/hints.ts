import { DATASOURCE } from '../tools/druid-cluster/dataset.ts';
import type { DruidCluster } from '../tools/druid-cluster/druid-cluster.ts';
import type { DruidNode } from '../tools/druid-cluster/druid-processes.ts';
import type { HaCluster } from './ha/ha-cluster.ts';
import type { DemoOptions } from './options.ts';

type Ports = Pick<DemoOptions, 'port' | 'adminPort'>;

/** What to try while the demo is up, in lines. */
export function hints({ nodes }: DruidCluster, ports: Ports, folder: string): string[] {
  return [
    ...addresses(ports),
    'Kill the leader (kill -9 PROCESS) and ask again: the requests wait a few seconds for the next one.',
    `  ${processes(nodes, 'coordinator')}`,
    `  ${processes(nodes, 'overlord')}`,
    last(folder),
  ];
}

/** The same where everything is there twice. */
export function haHints({ druid, ensemble, postgresql }: HaCluster, ports: Ports, folder: string): string[] {
  return [
    ...addresses(ports),
    'Kill any one of these (kill -9 PROCESS), or freeze it (kill -STOP, later -CONT), and look at the dashboard.',
    `  ${processes(druid.nodes, 'coordinator')}`,
    `  ${processes(druid.nodes, 'overlord')}`,
    `  ${processes(druid.nodes, 'broker')}`,
    `  ${ensemble.servers.map(({ name, port, pid }) => `${name} on port ${port} is process ${pid}`).join(', ')}`,
    `PostgreSQL: ${postgresql.describe()}.`,
    '  Nobody promotes the standby by itself here. --chaos does, and breaks all the others as well.',
    last(folder),
  ];
}

function addresses({ port, adminPort }: Ports): string[] {
  const url = `http://localhost:${port}`;
  const admin = `http://localhost:${adminPort}`;
  return [
    '',
    `The console:      ${url}`,
    `The dashboard:    ${admin}/`,
    `A query:          curl ${url}/druid/v2/sql -H 'Content-Type: application/json' -d '{"query":"SELECT COUNT(*) FROM ${DATASOURCE}"}'`,
    `The Coordinator:  curl ${url}/druid/coordinator/v1/leader`,
    `The Overlord:     curl ${url}/druid/indexer/v1/tasks`,
    `Who leads:        curl ${admin}/status`,
    '',
  ];
}

function processes(nodes: readonly DruidNode[], role: string): string {
  return nodes
    .filter((node) => node.role === role)
    .map(({ name, port, process: { pid } }) => `${name} on port ${port} is process ${pid}`)
    .join(', ');
}

function last(folder: string): string {
  return `Logs are below ${folder}. Ctrl-C ends everything.`;
}
