import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { createTierRouting, type TierRouting } from '../../../src/gateway/create-tier-routing.ts';
import { FakeCluster } from '../../kit/gateway/gateway-harness.ts';
import { recordErrors } from '../../kit/gateway/recorded-errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-placing-'));
afterAll(() => rmSync(folder, { recursive: true }));

function placing(brokers: string): TierRouting {
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, `brokers: ${brokers}\n`);
  return createTierRouting(loadConfig({ file }), {
    cluster: new FakeCluster(),
    errors: recordErrors(),
    random: Math.random,
  });
}

test.each([
  ['{}', 'druid/broker'],
  ['{ defaultService: druid/mine }', 'druid/mine'],
  ['{ tiers: { hot: druid/broker, _default_tier: druid/broker } }', 'druid/broker'],
  ['{ rules: [{ match: { user: a }, service: druid/broker }], strategies: [manual] }', 'druid/broker'],
])('with one service, as in %s, nothing is chosen, read or polled', (brokers, service) => {
  expect(placing(brokers)).toEqual({ services: new Set([service]), tierSelector: null, rules: null });
});

test('with more of them there is something to choose, and load rules unless they are switched off', async () => {
  const tiers = 'tiers: { hot: druid/hot, _default_tier: druid/broker }';
  const { services, tierSelector: placer, rules } = placing(`{ ${tiers} }`);
  expect([...services]).toEqual(['druid/hot', 'druid/broker']);
  expect([placer === null, rules === null]).toEqual([false, false]);
  await rules?.stop();
  const without = placing(`{ ${tiers}, loadRules: { enabled: false } }`);
  expect([without.tierSelector === null, without.rules]).toEqual([false, null]);
});

test('a password that cannot be read is said', () => {
  const auth = 'auth: { user: u, passwordFile: nothing }';
  const tiers = 'tiers: { hot: druid/hot, _default_tier: druid/broker }';
  expect(() => placing(`{ ${tiers}, loadRules: { ${auth} } }`)).toThrow(
    /^brokers.loadRules.auth.passwordFile: .*nothing cannot be read \(ENOENT\)$/,
  );
});
