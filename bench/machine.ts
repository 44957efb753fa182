import { cpus, loadavg, release, totalmem } from 'node:os';
import { outputOf } from './peers/peer.ts';
import type { Machine } from './results.ts';

/** What figures depend on; nothing that tells which machine it is. */
export async function describeMachine(): Promise<Machine> {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGb: totalmem() / 1e9,
    kernel: /^[\d.]+/.exec(release())?.[0] ?? 'unknown',
    node: process.version.slice(1),
    wrk: await wrkVersion(),
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** wrk says its version in a usage text, with exit code 1. */
async function wrkVersion(): Promise<string> {
  try {
    return versionIn((await outputOf('wrk', '-v')) ?? '');
  } catch (error) {
    return versionIn((error as { stdout?: string }).stdout ?? '');
  }
}

function versionIn(text: string): string {
  return /wrk \D*([\d.]+)/.exec(text)?.[1] ?? 'unknown';
}
