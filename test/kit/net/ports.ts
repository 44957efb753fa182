import { freePorts } from '../../../tools/druid-cluster/ports.ts';

const WORKERS = 16;
const given = new Set<number>();

/** Free ports that no other test takes meanwhile: each worker has its own, and none is given twice. */
export async function testPorts(count: number): Promise<number[]> {
  const worker = Number(process.env.VITEST_POOL_ID ?? 0) % WORKERS;
  const ports = await freePorts(count, (port) => port % WORKERS === worker && !given.has(port));
  for (const port of ports) given.add(port);
  return ports;
}
