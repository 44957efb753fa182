import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerIgnores, type Instruction, jsonForm, parseDockerfile, type Stage } from './dockerfile.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const minutes = 60_000;

let stages: Stage[];
let scratch: string;
/** Folders of the stages by name, the last one under its own. */
const folders = new Map<string, string>();

/** What of the base image matters here. */
const BASE = [
  'usr/local/bin/node',
  ...['npm', 'npx', 'corepack', 'yarn', 'yarnpkg'].map((name) => `usr/local/bin/${name}`),
  'usr/local/lib/node_modules/npm/package.json',
  'usr/local/lib/node_modules/corepack/package.json',
  'opt/yarn-v1.22.22/bin/yarn.js',
];

async function putBase(folder: string): Promise<void> {
  for (const path of BASE) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), '');
  }
}

/** No Docker engine is needed for this: the steps are carried out in folders, each stage in one of its own. */
async function buildStages(): Promise<void> {
  const ignores = dockerIgnores(await readFile(join(root, '.dockerignore'), 'utf8'));
  for (const stage of stages) {
    const folder = join(scratch, stage.name ?? 'final');
    folders.set(stage.name ?? 'final', folder);
    await putBase(folder);
    for (const { name, flags, args } of stage.instructions) {
      if (name === 'COPY') await copy(flags, args, folder, ignores);
      if (name === 'RUN') await run('sh', ['-c', args], { cwd: join(folder, 'app') });
    }
  }
}

/** Absolute paths of the image are below /app, which is a folder here. */
async function copy(
  flags: Instruction['flags'],
  args: string,
  folder: string,
  ignores: (path: string) => boolean,
): Promise<void> {
  const words = args.split(/\s+/);
  const target = join(folder, 'app', words.at(-1) ?? '');
  const from = flags.from === undefined ? root : join(folders.get(flags.from) ?? '', '/');
  for (const source of words.slice(0, -1)) {
    const path = join(from, source);
    const isFolder = (await stat(path)).isDirectory();
    await cp(path, isFolder ? target : join(target, source.split('/').at(-1) ?? ''), {
      recursive: true,
      filter: (file) => flags.from !== undefined || !ignores(relative(root, file)),
    });
  }
}

beforeAll(async () => {
  stages = parseDockerfile(await readFile(join(root, 'Dockerfile'), 'utf8'));
  scratch = await mkdtemp(join(tmpdir(), 'druid-gateway-image-'));
  await buildStages();
}, 5 * minutes);

afterAll(() => rm(scratch, { recursive: true, force: true }));

const only = (name: string): Instruction => {
  const found = stages.at(-1)?.instructions.filter((instruction) => instruction.name === name) ?? [];
  const [instruction] = found;
  if (instruction === undefined || found.length > 1) throw new Error(`expected one ${name}`);
  return instruction;
};

/** All files with when they were last written. */
async function listing(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(files.map(async (file) => `${file} ${(await stat(file)).mtimeMs}`));
}

describe('the image', () => {
  test('starts from the Node.js that the project is developed with', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'node_modules/node/package.json'), 'utf8')) as {
      version: string;
    };
    for (const { image } of stages) {
      const [name, digest] = image.split('@');
      expect(name).toBe(`node:${version.split('.')[0]}-slim`);
      expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    }
    expect(new Set(stages.map(({ image }) => image)).size).toBe(1);
  });

  test('has none of the programs of its base that install others', async () => {
    const base = folders.get('final') ?? '';
    expect(await readdir(join(base, 'usr/local/bin'))).toEqual(['node']);
    expect(await readdir(join(base, 'usr/local/lib'))).toEqual([]);
    expect(await readdir(join(base, 'opt'))).toEqual([]);
  });

  test('opens no debugger on a signal', () => {
    expect(jsonForm(only('ENTRYPOINT').args)).toContain('--disable-sigusr1');
  });

  test('does not run as root, by number', () => {
    expect(only('USER').args).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  test('holds what it needs to run and nothing else', async () => {
    const app = join(folders.get('final') ?? '', 'app');
    expect((await readdir(app)).toSorted()).toEqual(['LICENSE', 'config', 'dist', 'package.json']);
  });

  test('says what its bundle is made of, for those who look for faulty packages in images', async () => {
    const dist = join(folders.get('final') ?? '', 'app/dist');
    const bill = await readFile(join(dist, 'druid-gateway.cdx.json'), 'utf8');
    const { components } = JSON.parse(bill) as { components: { name: string }[] };
    const packages = JSON.parse(await readFile(join(dist, 'packages.json'), 'utf8')) as { name: string }[];
    const names = (list: { name: string }[]): string[] => list.map(({ name }) => name).toSorted();
    expect(names(components)).toEqual(names(packages));
    expect(names(components)).toContain('fastify');
  });

  test('starts from its folder, is healthy by its own check, writes nothing, and ends with 0', async () => {
    const app = join(folders.get('final') ?? '', 'app');
    const [command = '', ...args] = [...jsonForm(only('ENTRYPOINT').args), ...jsonForm(only('CMD').args)];
    expect(command).toBe('node');
    const before = await listing(app);
    await run('chmod', ['-R', 'a-w', app]);
    const env = {
      PATH: process.env.PATH ?? '',
      NODE_ENV: 'production',
      DRUID_GATEWAY__LISTEN: '127.0.0.1:0',
      DRUID_GATEWAY__ADMIN__LISTEN: '127.0.0.1:0',
      DRUID_GATEWAY__ZOOKEEPER__CONNECT: '127.0.0.1:1',
    };
    const child = spawn(process.execPath, args, { cwd: app, env, stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
      const port = /admin on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1] ?? '';
      const check = only('HEALTHCHECK').args.replace(/^.*\bCMD\s+/, '');
      const [, ...checkArgs] = jsonForm(check);
      const asked = { ...env, DRUID_GATEWAY__ADMIN__LISTEN: `127.0.0.1:${port}` };
      await run(process.execPath, checkArgs, { cwd: app, env: asked });
      const elsewhere = { ...env, DRUID_GATEWAY__ADMIN__LISTEN: '127.0.0.1:1' };
      await expect(run(process.execPath, checkArgs, { cwd: app, env: elsewhere })).rejects.toMatchObject({
        code: 1,
      });
    } finally {
      child.kill('SIGTERM');
    }
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    await run('chmod', ['-R', 'u+w', app]);
    expect(await listing(app)).toEqual(before);
  }, 60_000);
});
