import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import type { Found } from '../../tools/cached.ts';
import { type Result, run } from '../../tools/deploy-tools/run.ts';

/** The root of the repository, with a slash. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const DEPLOY = join(ROOT, 'deploy');

const { prometheus, goTools, schemas, haproxy, envoy } = inject('toolbox');

export const HAS_PROMETHEUS = 'path' in prometheus;
export const HAS_GO_TOOLS = 'path' in goTools;
export const HAS_SCHEMAS = 'path' in schemas;
export const HAS_HAPROXY = 'path' in haproxy;
export const HAS_ENVOY = 'path' in envoy;

/** Where the programs themselves are. */
export const haproxyProgram = (): string => pathOf(haproxy);
export const envoyProgram = (): string => pathOf(envoy);

/** Folder with a folder for each version of Kubernetes. */
export const schemasFolder = (): string => pathOf(schemas);

/** Runs promtool; the test fails if it does. Returns what it printed. */
export async function runPromtool(args: readonly string[], input?: string): Promise<string> {
  return passed(
    'promtool',
    await run(join(pathOf(prometheus), 'promtool'), args, input === undefined ? {} : { input }),
  );
}

/** Where the server itself is. */
export const prometheusServer = (): string => join(pathOf(prometheus), 'prometheus');

/** Runs helm, kubeconform or strict; the test fails if it does. Returns its standard output. */
export async function runTool(
  name: 'helm' | 'kubeconform' | 'strict',
  args: readonly string[],
  input?: string,
): Promise<string> {
  return passed(name, await tryTool(name, args, input));
}

/** Runs it and says what came of it. */
export async function tryTool(
  name: 'helm' | 'kubeconform' | 'strict',
  args: readonly string[],
  input?: string,
): Promise<Result | null> {
  return run(join(pathOf(goTools), name), args, input === undefined ? {} : { input });
}

function pathOf(found: Found): string {
  if ('missing' in found) throw new Error(found.missing);
  return found.path;
}

function passed(name: string, result: Result | null): string {
  expect(result, `there is no ${name}`).not.toBeNull();
  const { code = null, stdout = '', stderr = '' } = result ?? {};
  expect(code, `${name}: ${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

/** A folder that is gone after the test. */
export async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'druid-gateway-deploy-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The content of a YAML or JSON file below `deploy/`. */
export async function readDeployed<T>(path: string): Promise<T> {
  return parse(await readFile(join(DEPLOY, path), 'utf8'), { merge: true }) as T;
}
