import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** The oldest Node.js that `engines` allows is of this major version; the other is the one that runs the tests. */
const OLDEST = '22';

let scratch: string;
let tarball: string;
let files: string[];
/** What the installed gateway asks: a Broker that is healthy and answers every query. */
let broker: Server;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'druid-gateway-package-'));
  // The build is there already: `npm test` makes it before it runs tests.
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch], {
    cwd: root,
    maxBuffer: 10_000_000,
  });
  const packed: unknown = JSON.parse(stdout);
  // A list until npm 11, by name since npm 12.
  const [entry] = Object.values(packed as object) as { filename: string; files: { path: string }[] }[];
  if (entry === undefined) throw new Error(`npm pack said: ${stdout}`);
  tarball = join(scratch, entry.filename);
  files = entry.files.map(({ path }) => path);
  broker = createServer((request, response) => {
    request.resume();
    response.setHeader('Content-Type', 'application/json');
    response.end(request.url === '/status/health' ? 'true' : '[{"EXPR$0":1}]');
  });
  broker.listen(0, '127.0.0.1');
  await once(broker, 'listening');
});

afterAll(async () => {
  broker.close();
  broker.closeAllConnections();
  await rm(scratch, { recursive: true, force: true });
});

/** `npm install TARBALL` in an empty folder; yields the folder. */
async function install(name: string, ...more: string[]): Promise<string> {
  const folder = join(scratch, name);
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), '{"private":true}\n');
  await run('npm', ['install', '--no-audit', '--no-fund', tarball, ...more], { cwd: folder });
  return folder;
}

/** The environment in which `#!/usr/bin/env node` is this executable. */
function withNode(executable: string): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${dirname(executable)}${delimiter}${process.env.PATH ?? ''}` };
}

const npx = (folder: string, env: NodeJS.ProcessEnv, ...args: string[]) =>
  run('npx', ['--no-install', 'druid-gateway', ...args], { cwd: folder, env });

/** Starts the installed gateway as the README says, sends it a query, and ends it; yields its exit code. */
async function serve(folder: string, env: NodeJS.ProcessEnv): Promise<number | null> {
  const { port } = broker.address() as AddressInfo;
  await writeFile(
    join(folder, 'gateway.yaml'),
    `listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\ndiscovery: { type: static }\n` +
      `static: { brokers: ['http://127.0.0.1:${port}'] }\n`,
  );
  // Without npx in between, which hands no signal on.
  const child = spawn(
    join(folder, 'node_modules/.bin/druid-gateway'),
    ['serve', '--config', 'gateway.yaml'],
    {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const exited = once(child, 'exit') as Promise<[number | null]>;
  try {
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const [, url = '', admin = ''] = /serves on (\S+), admin on (\S+)$/.exec(line) ?? [];
    const answer = await fetch(`${url}/druid/v2/sql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"query":"SELECT 1"}',
    });
    expect(await answer.text()).toBe('[{"EXPR$0":1}]');
    expect(await (await fetch(admin, { headers: { Accept: 'text/html' } })).text()).toContain('<html');
    await npx(folder, env, 'health', '--admin', admin);
  } finally {
    child.kill('SIGTERM');
  }
  const [code] = await exited;
  return code;
}

/** The packages of which something is in the build. */
async function bundled(): Promise<{ name: string; version: string; license: string }[]> {
  return JSON.parse(await readFile(join(root, 'dist/packages.json'), 'utf8'));
}

describe('the package', () => {
  test('holds the build, its maps and its licenses, and nothing that does not serve', async () => {
    const beside = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'];
    const config = ['config/default.yaml', 'config/full.yaml', 'config/schema.json'];
    const built = ['main.js', 'worker-entry.js', 'asker.js', 'packages.json', 'THIRD-PARTY-LICENSES'];
    const assets = await readdir(join(root, 'src/admin/dashboard/assets'));
    const named = [
      ...beside,
      ...config,
      ...built.map((file) => `dist/${file}`),
      ...assets.map((file) => `dist/assets/${file}`),
    ];
    expect(files).toEqual(expect.arrayContaining(named));
    const others = files.filter((file) => !named.includes(file));
    expect(others.filter((file) => !/^dist\/[\w-]+\.js(?:\.map)?$/.test(file))).toEqual([]);
  });

  test('needs no other package, and hands on the license of each that it contains', async () => {
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    expect(manifest.dependencies).toBeUndefined();
    const texts = await readFile(join(root, 'dist/THIRD-PARTY-LICENSES'), 'utf8');
    const contained = await bundled();
    expect(contained.length).toBeGreaterThan(40);
    for (const { name, version, license } of contained) {
      expect(texts).toContain(`\n${name} ${version} (${license})\n`);
      expect(license).toMatch(/^(?:MIT|ISC|Apache-2\.0|BSD-[23]-Clause|0BSD|BlueOak-1\.0\.0)$/);
    }
  });

  test('is one that can be published', async () => {
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    expect(manifest.private).toBeUndefined();
    expect(manifest.engines).toEqual({ node: expect.stringMatching(new RegExp(`^>=${OLDEST}\\.`)) });
  });

  test('installs in an empty folder and serves on the Node.js of the tests', async () => {
    const folder = await install('current');
    const env = withNode(process.execPath);
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect((await npx(folder, env, 'version')).stdout).toContain(version);
    expect(await serve(folder, env)).toBe(0);
    // Drivers and tracing are for those who ask for them.
    const modules = await readdir(join(folder, 'node_modules'));
    expect(modules.filter((name) => !name.startsWith('.'))).toEqual(['druid-gateway']);
  });

  test('installs in an empty folder and serves on the oldest Node.js that it names', async () => {
    const folder = await install('oldest', `node@${OLDEST}`);
    const node = join(folder, 'node_modules/node/bin/node');
    expect((await run(node, ['--version'])).stdout).toMatch(new RegExp(`^v${OLDEST}\\.`));
    expect(await serve(folder, withNode(node))).toBe(0);
  });

  test('loads no more than it needs to serve, and says where in the sources an error is from', async () => {
    const look = join(scratch, 'look.mjs');
    await writeFile(
      look,
      `process.on('SIGWINCH', () => {
        const clock = performance.now;
        performance.now = () => {
          performance.now = clock;
          throw new Error('on purpose');
        };
        process.stderr.write(JSON.stringify({ loaded: process.moduleLoadList }) + '\\n');
      });`,
    );
    const child = spawn(
      process.execPath,
      [`--import=${look}`, 'dist/main.js', ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0']],
      { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    try {
      await once(createInterface(child.stdout), 'line');
      child.kill('SIGWINCH');
      let loaded: string[] = [];
      for await (const line of createInterface(child.stderr)) {
        const { stack = '', ...said } = JSON.parse(line) as { loaded?: string[]; stack?: string };
        loaded = said.loaded ?? loaded;
        if (!stack.includes('on purpose')) continue;
        expect(stack).toMatch(/ at \S+ \(src\/[\w/-]+\.ts:\d+:\d+\)\n/);
        break;
      }
      // An import of `node:http` instead of its plain form would load the first, and any of two libraries the other.
      expect(loaded).toContain('NativeModule http');
      expect(loaded).not.toContain('NativeModule internal/deps/undici/undici');
      expect(loaded).not.toContain('NativeModule http2');
      expect(loaded).not.toContain('NativeModule tls');
    } finally {
      child.kill('SIGKILL');
    }
  });

  test.for(['cyclonedx', 'spdx'])('has a bill of materials that lists what is in it: %s', async (format) => {
    const args = ['run', '--silent', 'sbom', '--', '--sbom-format', format];
    const { stdout } = await run('npm', args, { cwd: root, maxBuffer: 10_000_000 });
    const bill = JSON.parse(stdout) as {
      components?: { purl: string }[];
      packages?: { externalRefs: { referenceLocator: string }[] }[];
    };
    const listed =
      bill.components?.map(({ purl }) => purl) ??
      // The first one is the gateway.
      bill.packages?.slice(1).map(({ externalRefs }) => externalRefs[0]?.referenceLocator ?? '');
    const contained = (await bundled()).map(({ name, version }) => `pkg:npm/${name}@${version}`);
    expect(listed?.map((purl) => purl.replace('%40', '@')).toSorted()).toEqual(contained.toSorted());
  });
});
