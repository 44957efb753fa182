import { describe, expect, test } from 'vitest';
import { dangerousSettings } from '../../../src/config/dangerous-settings.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problems.ts';
import { createRouter } from '../../../src/routing/router.ts';

type Keys = Readonly<Record<string, string>>;

const load = (keys: Keys) =>
  loadConfig({
    environment: Object.fromEntries(
      Object.entries(keys).map(([key, value]) => [`DRUID_GATEWAY__${key}`, value]),
    ),
  });
const ids = (keys: Keys): string[] => dangerousSettings(load(keys)).map(({ id }) => id);

function problemsOf(keys: Keys): string {
  try {
    load(keys);
    return '';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.join('\n');
  }
}

const CERTIFICATE = { CERT_FILE: 'a.pem', KEY_FILE: 'a.key' };
const tls = (section: string, more: Keys = {}): Keys =>
  Object.fromEntries(
    Object.entries({ ...CERTIFICATE, ...more }).map(([key, value]) => [`${section}__TLS__${key}`, value]),
  );

test('the defaults have none', () => {
  expect(ids({})).toEqual([]);
});

test.each<[string, Keys]>([
  ['upstream_tls_unverified', { UPSTREAM__TLS__VERIFY: 'false' }],
  ['zookeeper_tls_unverified', { ZOOKEEPER__TLS__VERIFY: 'false' }],
  ['otlp_tls_unverified', { TRACING__ENABLED: 'true', TRACING__OTLP__TLS__VERIFY: 'false' }],
  ['zookeeper_password_in_clear', { ZOOKEEPER__AUTH__USER: 'u', ZOOKEEPER__AUTH__PASSWORD: 'p' }],
  ['forwarded_trust_everybody', { FORWARDED__TRUST: '10.0.0.1,0.0.0.0/0' }],
  ['forwarded_trust_everybody', { FORWARDED__TRUST: '0.0.0.0/1,128.0.0.0/1' }],
  ['forwarded_trust_everybody', { FORWARDED__TRUST: '::/0' }],
  ['forwarded_trust_everybody', { FORWARDED__TRUST: '2000::/3' }],
  ['forwarded_trust_everybody', { FORWARDED__TRUST: '::ffff:0.0.0.0/96' }],
  ['forwarded_trust_everybody', { FORWARDED__TRUST: '0:0:0:0:0:ffff::/97' }],
  ['view_for_everybody', { ADMIN__VIEW_CLIENTS: '0.0.0.0/0' }],
  ['internal_paths_open', { ROUTES__ALLOW: '/druid' }],
  ['internal_paths_open', { ROUTES__ALLOW: '/druid/indexer/v1' }],
  ['internal_paths_open', { ROUTES__ALLOW: '/druid/indexer/v1/action' }],
  ['internal_paths_open', { ROUTES__ALLOW: '/druid-internal/v1/x' }],
  ['internal_paths_open', { ROUTES__ALLOW: '/druid-ext' }],
  ['internal_paths_open', { ROUTES__ALLOW: '/druid-ext/basic-security/authentication/listen/db/users' }],
  ['admin_token_in_clear', { ADMIN__LISTEN: '0.0.0.0:9888', ADMIN__TOKEN_FILE: 'token' }],
  ['requests_unlimited', { LIMITS__CONCURRENCY__TOTAL: '0', LIMITS__CONCURRENCY__BROKER: '0' }],
  ['slow_clients_unlimited', { LIMITS__REQUEST_TIMEOUT: '0' }],
  ['slow_clients_unlimited', { LIMITS__SEND_TIMEOUT: '0' }],
])('%s is told of %j', (id, keys) => {
  expect(ids(keys)).toEqual([id]);
});

test.each<[Keys]>([
  [{ UPSTREAM__TLS__CA_FILE: 'ca.pem' }],
  [{ FORWARDED__TRUST: '10.0.0.0/8,fd00::/16,::ffff:10.0.0.0/104,192.0.2.1' }],
  [{ ROUTES__ALLOW: '/druid/broker/v1/loadstatus,/druid-ext/mine,/druid-internals' }],
  [{ ADMIN__TOKEN_FILE: 'token' }],
  [{ LIMITS__CONCURRENCY__TOTAL: '0' }],
])('none is told of %j', (keys) => {
  expect(ids(keys)).toEqual([]);
});

test('each sentence names a key and what to do', () => {
  const { sentence } = dangerousSettings(load({ UPSTREAM__TLS__VERIFY: 'false' }))[0] ?? { sentence: '' };
  expect(sentence).toMatch(/^upstream\.tls\.verify .*; name its authority in upstream\.tls\.caFile$/);
});

test('the paths that are told of are denied by default, and served where they are allowed', () => {
  for (const path of [
    '/druid/indexer/v1/action',
    '/druid-internal/x',
    '/druid-ext/basic-security/x/listen',
  ]) {
    expect(createRouter({ allow: [] })('GET', path).kind).toBe('refused');
    expect(ids({ ROUTES__ALLOW: path })).toEqual(['internal_paths_open']);
  }
});

describe('never right, and an error, is', () => {
  test.each<[string, Keys]>([
    ['all interfaces', { ADMIN__LISTEN: '0.0.0.0:9888' }],
    ['all of both families', { ADMIN__LISTEN: '[::]:9888' }],
    ['an address of the network', { ADMIN__LISTEN__HOST: '10.0.0.7' }],
    ['a name that may be any', { ADMIN__LISTEN__HOST: 'gateway-1' }],
    ['a certificate that asks for none', { ADMIN__LISTEN: '0.0.0.0:9888', ...tls('ADMIN') }],
  ])('an admin listener on %s without a token', (_, keys) => {
    expect(problemsOf(keys)).toMatch(
      /admin\.listen\.host: lets other machines act .*admin\.tokenFile .*admin\.health\.listen/,
    );
  });

  test.each(['listen', 'admin'])(
    '%s.tls that asks without authorities, or has some and does not ask',
    (section) => {
      const asks = tls(section.toUpperCase(), { REQUIRE_CLIENT_CERTIFICATE: 'true' });
      expect(problemsOf(asks)).toContain(`${section}.tls.requireClientCertificate: needs caFile`);
      const names = tls(section.toUpperCase(), { CA_FILE: 'ca.pem' });
      expect(problemsOf(names)).toContain(
        `${section}.tls.caFile: is not used without requireClientCertificate`,
      );
    },
  );
});

test.each<[Keys]>([
  [{ ADMIN__LISTEN: '127.8.9.10:1' }],
  [{ ADMIN__LISTEN: '[::1]:1' }],
  [{ ADMIN__LISTEN: '[0:0:0:0:0:0:0:1]:1' }],
  [{ ADMIN__LISTEN: '[::ffff:127.0.0.1]:1' }],
  [{ ADMIN__LISTEN: 'localhost:1' }],
  [{ ADMIN__LISTEN: '0.0.0.0:1', ADMIN__TOKEN_FILE: 'token' }],
  [{ ADMIN__LISTEN: '0.0.0.0:1', ...tls('ADMIN', { CA_FILE: 'a', REQUIRE_CLIENT_CERTIFICATE: 'true' }) }],
  [{ ADMIN__HEALTH__LISTEN: '0.0.0.0:9889' }],
])('guarded enough is %j', (keys) => {
  expect(problemsOf(keys)).toBe('');
});
