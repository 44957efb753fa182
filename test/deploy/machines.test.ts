import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { run } from '../../tools/deploy-tools/run.ts';
import { DEPLOY, HAS_GO_TOOLS, readDeployed, runTool, scratchFolder } from './tools.ts';

/** What the gateway takes to end after delay and drain, in ms (src/cli/serve.ts). */
const END_MS = 10_000;

describe('compose', () => {
  const FILE = join(DEPLOY, 'compose/compose.yaml');

  test.runIf(HAS_GO_TOOLS)('is read by the loader of Docker Compose', async () => {
    await runTool('strict', ['compose', FILE]);
  });

  test('has a configuration that the gateway starts with, with the listeners that it publishes', async () => {
    const { services } = await readDeployed<{ services: { gateway: Record<string, never> } }>(
      'compose/compose.yaml',
    );
    const { gateway } = services as unknown as { gateway: { ports: string[]; stop_grace_period: string } };
    const config = loadConfig({ file: join(DEPLOY, 'compose/config/gateway.yaml') });
    expect(gateway.ports).toEqual([
      `${config.listen.port}:${config.listen.port}`,
      `127.0.0.1:${config.admin.health?.listen.port}:${config.admin.health?.listen.port}`,
    ]);
    expect(config.admin).toMatchObject({
      listen: { host: '127.0.0.1', port: 9888 },
      health: { listen: { host: '0.0.0.0' } },
    });
    const { delay, drain } = config.shutdown;
    expect(Number.parseInt(gateway.stop_grace_period, 10) * 1000).toBeGreaterThan(delay + drain + END_MS);
  });

  test('runs without rights and with a file system that is read only', async () => {
    const { services } = await readDeployed<{ services: Record<string, object> }>('compose/compose.yaml');
    for (const service of Object.values(services)) {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
    }
    expect(services.gateway).toMatchObject({ user: '1000:1000' });
  });
});

describe('systemd', () => {
  const FOLDER = join(DEPLOY, 'systemd');
  const unit = readFile(join(FOLDER, 'druid-gateway.service'), 'utf8');
  const settingOf = async (key: string): Promise<string> =>
    new RegExp(`^${key}=(.*)$`, 'm').exec(await unit)?.[1] ?? '';

  async function analyze(args: readonly string[]) {
    // The unit names where Debian's package and docs/deployment.md put these.
    const folder = await scratchFolder();
    const file = join(folder, 'druid-gateway.service');
    await writeFile(file, (await unit).replace('/usr/bin/node', process.execPath));
    return run('systemd-analyze', [...args, file], { env: { SYSTEMD_UNIT_PATH: `${folder}:` } });
  }

  test('systemd takes the unit, and finds it well shut in', async ({ skip }) => {
    const verified = await analyze(['verify', '--man=no']);
    skip(verified === null, 'there is no systemd-analyze');
    expect([verified?.code, verified?.stderr]).toEqual([
      0,
      expect.not.stringContaining('druid-gateway.service'),
    ]);
    const security = await analyze(['security', '--offline=true', '--no-pager', '--threshold=20']);
    // systemd before 250 reads no unit that is not loaded.
    skip(/unrecognized option/.test(security?.stderr ?? ''), 'systemd-analyze is too old');
    const exposure = /Overall exposure level for druid-gateway.service: ([\d.]+)/.exec(
      security?.stdout ?? '',
    )?.[1];
    expect(Number(exposure)).toBeLessThan(2);
    expect(security?.code).toBe(0);
  });

  test('it is started with what the image is started with, and a configuration that is there', async () => {
    const dockerfile = await readFile(join(DEPLOY, '../Dockerfile'), 'utf8');
    const [, ...options] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
    const [node, ...args] = (await settingOf('ExecStart')).split(' ');
    expect(node).toBe('/usr/bin/node');
    expect(args).toEqual([
      ...options.slice(0, -1),
      `/opt/druid-gateway/node_modules/druid-gateway/${options.at(-1)}`,
      'serve',
      '--config',
      '/etc/druid-gateway/gateway.yaml',
    ]);
    const { shutdown, history, discovery } = loadConfig({ file: join(FOLDER, 'gateway.yaml') });
    expect(Number.parseInt(await settingOf('TimeoutStopSec'), 10) * 1000).toBeGreaterThan(
      shutdown.delay + shutdown.drain + END_MS,
    );
    for (const file of [history.file, discovery.snapshotFile]) {
      expect(file).toMatch(new RegExp(`^/var/lib/${await settingOf('StateDirectory')}/`));
    }
  });

  test('a wrong configuration ends it for good, with the exit code that it is told by', async () => {
    const folder = await scratchFolder();
    const file = join(folder, 'gateway.yaml');
    await writeFile(file, 'zookeper: {}\n');
    const main = join(DEPLOY, '../src/main.ts');
    const ended = await run(process.execPath, [main, 'serve', '--config', file]);
    expect(String(ended?.code)).toBe(await settingOf('RestartPreventExitStatus'));
  });

  test('secrets are handed over by the variables of keys that are there', async () => {
    const text = await readFile(join(FOLDER, 'druid-gateway.service.d/credentials.conf'), 'utf8');
    const names = Array.from(text.matchAll(/^LoadCredential=([\w-]+):/gm), ([, name]) => name);
    const variables = Array.from(
      text.matchAll(/^Environment=(\w+)=%d\/([\w-]+)$/gm),
      ([, name = '', value]) => ({ name, value }),
    );
    expect(variables.map(({ value }) => value)).toEqual(names);
    const secret = join(await scratchFolder(), 'secret');
    await writeFile(secret, 'a secret of some length');
    const environment = Object.fromEntries(variables.map(({ name }) => [name, secret]));
    const config = loadConfig({
      environment: { ...environment, DRUID_GATEWAY__ZOOKEEPER__AUTH__USER: 'druid' },
    });
    expect(config.admin.tokenFile).toBe(secret);
  });
});
