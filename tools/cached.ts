import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './cache-folder.ts';
import type { Result } from './deploy-tools/run.ts';

/** Tells people what goes on, one line at a time. */
export type Report = (line: string) => void;

/** Where something is, or why it cannot be had on this machine. */
export type Found = { readonly path: string } | Missing;

export interface Missing {
  readonly missing: string;
  /** The program that would bring it is not on this machine; otherwise that program failed. */
  readonly absent: boolean;
}

/** Fills a folder of the cache once. `fill` returns why it could not, or null. */
export async function cached(
  name: string,
  what: string,
  report: Report,
  fill: (folder: string) => Promise<Missing | null>,
): Promise<Found> {
  const path = join(cacheFolder(), name);
  if (existsSync(path)) return { path };
  await mkdir(cacheFolder(), { recursive: true });
  const partial = await mkdtemp(`${path}.partial-`);
  const began = performance.now();
  report(`fetching ${what} into ${path} (once)`);
  try {
    const missing = await fill(partial);
    if (missing !== null) return missing;
    // Another process may have been faster.
    if (!existsSync(path)) await rename(partial, path);
    report(`  ${name} is there after ${((performance.now() - began) / 1000).toFixed(0)} s`);
    return { path };
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** A Go that cannot read `go.mod`, a Python without pip, a machine that no wheel is for: no better than none. */
const TOO_OLD =
  /requires go >=|invalid go version|toolchain not available|No module named pip|No matching distribution/;

/** What `missing` says is not on this machine. */
export function lacking(missing: string): Missing {
  return { missing, absent: true };
}

/** A command that ended with an error; null if there is no such program. */
export function failed(command: string, result: Result | null): Missing {
  if (result === null) return lacking(`there is no ${command.split(' ')[0]}`);
  const absent = TOO_OLD.test(result.stderr);
  const line = `${result.stdout}\n${result.stderr}`.trim().split('\n').at(-1) ?? '';
  return { missing: `${command} ended with ${result.code}: ${line.slice(0, 300)}`, absent };
}
