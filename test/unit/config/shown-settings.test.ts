import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type ConfigSources, loadWithOrigins } from '../../../src/config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

/** Settings by their keys, as `[value, origin]`, with the folder's name taken out. */
function shown(sources: ConfigSources): Record<string, readonly [value: string, origin: string]> {
  const { settings } = loadWithOrigins(sources);
  const plain = (text: string): string => text.replaceAll(`${folder}/`, '');
  return Object.fromEntries(
    settings.map(({ key, value, origin }) => [key, [plain(value), plain(origin)] as const]),
  );
}

test('each setting names the source that gave it, and a default is called one', () => {
  const settings = shown({
    flags: { listen: '127.0.0.1:1' },
    environment: { DRUID_GATEWAY__PARKING__MAX_WAIT: '90s' },
    file: file('gateway.yaml', 'limits:\n  bodyMemory: 64MiB\nparking:\n  maxWait: 5s\n  maxRequests: 7\n'),
    druidProperties: file('common.properties', 'druid.zk.service.host=zk:2181\n'),
  });
  expect(settings['listen.port']).toEqual(['1', 'flag --listen']);
  expect(settings['parking.maxWait']).toEqual([
    '90s',
    'environment variable DRUID_GATEWAY__PARKING__MAX_WAIT',
  ]);
  expect(settings['parking.maxRequests']).toEqual(['7', 'gateway.yaml:5']);
  expect(settings['limits.bodyMemory']).toEqual(['64MiB', 'gateway.yaml:2']);
  expect(settings['zookeeper.connect']).toEqual(['zk:2181', 'common.properties: druid.zk.service.host']);
  expect(settings['zookeeper.sessionTimeout']).toEqual(['30s', 'default']);
});

test('a path that is made of another one is no default', () => {
  const settings = shown({ environment: { DRUID_GATEWAY__ZOOKEEPER__BASE_PATH: '/prod' } });
  expect(settings['zookeeper.coordinatorPath']).toEqual([
    '/prod/coordinator',
    'derived from zookeeper.basePath',
  ]);
  expect(shown({})['zookeeper.coordinatorPath']).toEqual(['/druid/coordinator', 'default']);
});

test('no secret is shown, and a file of one by its name', () => {
  const secret = 'hush-hush-hush';
  const asText = shown({
    file: file('text.yaml', `zookeeper:\n  auth:\n    user: u\n    password: ${secret}\n`),
  });
  const asFile = shown({
    file: file('file.yaml', `zookeeper:\n  auth:\n    user: u\n    passwordFile: ${file('pw', secret)}\n`),
  });
  expect(JSON.stringify([asText, asFile])).not.toContain(secret);
  expect(asText['zookeeper.auth.password']).toEqual(['[redacted]', 'text.yaml:4']);
  expect(asFile['zookeeper.auth.passwordFile']).toEqual(['pw', 'file.yaml:4']);
});
