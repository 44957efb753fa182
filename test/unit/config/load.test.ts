import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { variableOf } from '../../../src/config/environment-source.ts';
import { type ConfigSources, loadConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problems.ts';
import { redact } from '../../../src/config/redact.ts';
import { formatPath, keys, leaves, valueAt } from '../../../src/config/schema-walk.ts';

const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(text: string, name = `${files++}.yaml`): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** The problems that loading finds, with the folder's name taken out. */
function problemsOf(sources: ConfigSources): string[] {
  try {
    loadConfig(sources);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((line) => line.replaceAll(`${folder}/`, ''));
  }
}

const project = (path: string): string => new URL(`../../../${path}`, import.meta.url).pathname;

describe('defaults', () => {
  test("nothing said is Druid's own defaults", () => {
    expect(loadConfig({})).toMatchObject({
      listen: { host: '0.0.0.0', port: 8888 },
      admin: { listen: { host: '127.0.0.1', port: 9888 } },
      discovery: { type: 'zookeeper' },
      zookeeper: {
        connect: 'localhost:2181',
        basePath: '/druid',
        coordinatorPath: '/druid/coordinator',
        sessionTimeout: 30_000,
      },
    });
  });

  test('an optional section is there where it is given, and then with its defaults', () => {
    const { zookeeper, parking, upstream, queries, brokers, listen } = loadConfig({});
    for (const section of [zookeeper.auth, zookeeper.tls, upstream.tls, listen.tls, brokers.loadRules.auth]) {
      expect(section).toBeUndefined();
    }
    expect([parking.coordinator, upstream.byClass.query, queries.sql]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const given = loadConfig({
      file: file(
        'zookeeper: { tls: }\nparking: { broker: {} }\nlisten: { tls: { certFile: a, keyFile: b } }\n',
      ),
    });
    expect(given.zookeeper.tls).toEqual({ verify: true });
    expect(given.parking).toMatchObject({ broker: {}, maxWait: 40_000 });
    expect(given.listen.tls).toMatchObject({ requireClientCertificate: false });
  });

  test('an item of a list has its defaults, also for a key without a value', () => {
    const text =
      'static: { brokers: [http://a:1, { url: "http://b:1" }, { url: "http://c:1", service: }] }\n';
    const { static: nodes } = loadConfig({ file: file(text) });
    expect(nodes.brokers.map(({ service }) => service)).toEqual(Array(3).fill('druid/broker'));
  });

  test('coordinatorPath is below the base path', () => {
    const paths = ['/', '/prod', '/druid'].map((basePath) => {
      const { coordinatorPath } = loadConfig({
        file: file(`zookeeper: { basePath: ${basePath} }\n`),
      }).zookeeper;
      return coordinatorPath;
    });
    expect(paths).toEqual(['/coordinator', '/prod/coordinator', loadConfig({}).zookeeper.coordinatorPath]);
  });

  test('defaults of one load are not those of another', () => {
    const [one, other] = [loadConfig({}), loadConfig({})];
    expect(one).toEqual(other);
    expect(one.brokers.strategies).not.toBe(other.brokers.strategies);
  });

  test('config/default.yaml says what nothing says', () => {
    expect(loadConfig({ file: project('config/default.yaml') })).toEqual(loadConfig({}));
  });

  test('config/full.yaml is valid, has every key, and holds the defaults outside optional sections', () => {
    // The files that it names are examples.
    const text = readFileSync(project('config/full.yaml'), 'utf8');
    const full = parse(text) as object;
    const missing = keys().filter(([path]) => valueAt(full, path) === undefined);
    expect(missing.map(([path]) => formatPath(path))).toEqual(['zookeeper.auth.password']);
    expect(text).toContain('# password: secret');
    const loaded = loadConfig({
      file: file(text.replace('passwordFile: zookeeper-password', 'password: secret')),
    });
    const defaults = loadConfig({});
    for (const [path] of leaves()) {
      const usual = valueAt(defaults, path);
      if (usual !== undefined)
        expect([formatPath(path), valueAt(loaded, path)]).toEqual([formatPath(path), usual]);
    }
  });

  test('the result cannot be changed', () => {
    const config = loadConfig({});
    expect(() => Object.assign(config.listen, { port: 1 })).toThrow(TypeError);
    expect(() => (config.routes.allow as string[]).push('/x')).toThrow(TypeError);
  });
});

describe('precedence', () => {
  const properties = (): string => file('druid.zk.service.host=properties:1\n', 'common.properties');
  const yaml = (): string => file('zookeeper: { connect: "file:1" }\n');
  const environment = { DRUID_GATEWAY__ZOOKEEPER__CONNECT: 'environment:1' };
  const connect = (sources: ConfigSources): string => loadConfig(sources).zookeeper.connect;

  test('flags, environment, file, Druid properties, defaults', () => {
    const druidProperties = properties();
    const all = { flags: { zookeeper: 'flag:1' }, environment, file: yaml(), druidProperties };
    expect(connect(all)).toBe('flag:1');
    expect(connect({ ...all, flags: {} })).toBe('environment:1');
    expect(connect({ ...all, flags: {}, environment: {} })).toBe('file:1');
    expect(connect({ druidProperties })).toBe('properties:1');
    expect(connect({})).toBe('localhost:2181');
  });

  test('sections are merged key by key, lists are taken whole', () => {
    const config = loadConfig({
      environment: { DRUID_GATEWAY__LISTEN__PORT: '1', DRUID_GATEWAY__ROUTES__ALLOW: '/a, /b' },
      file: file('listen: { host: 127.0.0.1, port: 2 }\nroutes: { allow: [/c] }\n'),
    });
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 1, basePath: '' });
    expect(config.routes.allow).toEqual(['/a', '/b']);
  });

  test.each([
    { flags: { listen: '127.0.0.1:1', 'base-path': '/a' } },
    { environment: { DRUID_GATEWAY__LISTEN: '127.0.0.1:1', DRUID_GATEWAY__LISTEN__BASE_PATH: '/a' } },
    { flags: { 'base-path': '/a' }, environment: { DRUID_GATEWAY__LISTEN: '127.0.0.1:1' } },
    { flags: { listen: '127.0.0.1:1' }, environment: { DRUID_GATEWAY__LISTEN__BASE_PATH: '/a/' } },
  ])('an address as one text stands beside the other keys of its section: %j', (sources) => {
    expect(loadConfig(sources).listen).toEqual({ host: '127.0.0.1', port: 1, basePath: '/a' });
  });

  test('a text that is no address is told, whatever key of its section stands beside it', () => {
    const told = (where: string): object[] => [
      expect.stringMatching(new RegExp(`^${where}: listen: expected HOST:PORT, .* not "nowhere"$`)),
    ];
    const flags = { 'base-path': '/a' };
    const environment = { DRUID_GATEWAY__LISTEN: 'nowhere' };
    expect(problemsOf({ flags: { listen: 'nowhere', ...flags } })).toEqual(told('flag --listen'));
    expect(problemsOf({ flags, environment })).toEqual(told('environment variable DRUID_GATEWAY__LISTEN'));
    const yaml = file('listen: nowhere\n', 'nowhere.yaml');
    expect(problemsOf({ flags, file: yaml })).toEqual(told('nowhere.yaml:1'));
    expect(problemsOf({ file: yaml })).toEqual(told('nowhere.yaml:1'));
  });

  test('tiers are a map in their order, taken whole from the first source', () => {
    const path = file('brokers: { tiers: { hot: druid/hot, _default_tier: druid/broker } }\n');
    const tiers = [
      { tier: 'hot', service: 'druid/hot' },
      { tier: '_default_tier', service: 'druid/broker' },
    ];
    expect(loadConfig({ file: path }).brokers.tiers).toEqual(tiers);
    const environment = {
      DRUID_GATEWAY__BROKERS__TIERS: '{ "z": "druid/broker", "a": "druid/hot" }',
      DRUID_GATEWAY__BROKERS__STRATEGIES: 'manual, timeBoundary',
    };
    const { brokers } = loadConfig({ file: path, environment });
    expect(brokers.tiers.map(({ tier }) => tier)).toEqual(['z', 'a']);
    expect(brokers.strategies).toEqual([{ type: 'manual' }, { type: 'timeBoundary' }]);
  });

  test('--zookeeper wins over a file that says static', () => {
    const path = file('discovery: { type: static }\nstatic: { brokers: ["http://b:8082"] }\n');
    expect(loadConfig({ file: path }).static.brokers).toEqual([
      { url: 'http://b:8082', service: 'druid/broker' },
    ]);
    expect(loadConfig({ file: path, flags: { zookeeper: 'zk:2181' } }).discovery.type).toBe('zookeeper');
  });
});

describe('a base path', () => {
  const basePath = (text: string): string =>
    loadConfig({ file: file(stringify({ listen: { basePath: text } })) }).listen.basePath;

  test.each([
    ['', ''],
    ['/', ''],
    ['/druid-prod', '/druid-prod'],
    ['/druid-prod/', '/druid-prod'],
    ['/a/b.c/~d_e', '/a/b.c/~d_e'],
    ['/...', '/...'],
    [`/${'a'.repeat(199)}`, `/${'a'.repeat(199)}`],
  ])('%j is %j', (written, taken) => {
    expect(basePath(written)).toBe(taken);
  });

  test.each([
    ...[
      'druid-prod',
      '//',
      '/a//',
      '/a//b',
      '/..',
      '/a/../b',
      '/./a',
      '/a/.',
      '/a?b',
      '/a#b',
      '/a%2Fb',
      '/a;b',
    ],
    ...['/a b', ' /a', '/a\n', '/a\u0000', '/é', '/a\\b', "/a'b", 'http://a/b', `/${'a'.repeat(200)}`],
  ])('%j is refused', (written) => {
    expect(() => basePath(written)).toThrow(/listen\.basePath: expected a path such as \/druid-prod/);
  });
});

describe('what is wrong is named with its place, what was expected, and the nearest key', () => {
  test.each([
    ['zookeper: { connect: a }', '0.yaml:1: zookeper: there is no such key; did you mean zookeeper?'],
    ['sessionTimeout: 3s', 'there is no such key; did you mean zookeeper.sessionTimeout?'],
    ['listen: 8888', ':1: listen: expected HOST:PORT, for example 0.0.0.0:8888 or [::]:8888, not 8888'],
    ['admin: 127.0.0.1:9888', ':1: admin: expected a section with keys such as listen and '],
    ['listen: { port: 70000 }', 'listen.port: expected a port from 0 to 65535, not 70000'],
    ['zookeeper:\n  sessionTimeout: soon', ':2: zookeeper.sessionTimeout: expected a duration such as'],
    ['health: { live: { maxStall: long } }', ':1: health.live.maxStall: expected a duration such as'],
    [
      'health: { live: { maxInternalErrors: -1 } }',
      'health.live.maxInternalErrors: expected a whole number from 0; 0 is no limit, not -1',
    ],
    ['zookeeper: { connect: "a:b:c" }', 'zookeeper.connect: expected HOST:PORT[,HOST:PORT...][/chroot]'],
    ['zookeeper: { basePath: "/a//b" }', 'zookeeper.basePath: expected an absolute ZooKeeper path'],
    [
      'discovery: { type: eureka }',
      'discovery.type: expected one of zookeeper, kubernetes, consul, dns, static, not "eureka"',
    ],
    ['discovery: { type: static }', 'discovery.type: is static, but static names no node'],
    ['static: { brokers: ["b:8082"] }', 'static.brokers[0].url: expected the http(s) URL of a node'],
    ['forwarded: { trust: [10.0.0.0/8], hops: 1 }', 'forwarded.hops: trust is given, too; expected one of'],
    [
      'history: { file: /x }\ndiscovery: { snapshotFile: /x }',
      'history.file: is discovery.snapshotFile, too; expected a file of its own',
    ],
    [
      'feeds: { haproxy: { backends: { coordinator: c } } }',
      'feeds.haproxy.socket: is missing; expected the path',
    ],
    ['feeds: { haproxy: { socket: /s } }', 'feeds.haproxy.backends: names no backend'],
    [
      'feeds: { haproxy: { socket: /s, backends: { coordinator: "c; shutdown" } } }',
      'feeds.haproxy.backends.coordinator: expected the name of a backend of HAProxy',
    ],
    [
      'feeds: { haproxy: { socket: /s, backends: { coordinator: c }, serverOptions: "check; x" } }',
      'feeds.haproxy.serverOptions: expected words of a server line of HAProxy',
    ],
    [
      'feeds: { haproxy: { socket: /s, backends: { coordinator: c, overlord: c } } }',
      'feeds.haproxy.backends.overlord: c is given twice; expected a backend of its own',
    ],
    [
      'feeds: { haproxy: { socket: /s, backends: { brokers: [{ service: a, backend: b }, { service: a, backend: c }] } } }',
      'feeds.haproxy.backends.brokers[1].service: there are two backends for a',
    ],
    ['feeds: { kubernetes: {} }', 'feeds.kubernetes.services: names no Service'],
    [
      'feeds: { kubernetes: { services: { coordinator: "druid/c" } } }',
      'feeds.kubernetes.services.coordinator: expected the name of a Service, such as druid-coordinator',
    ],
    [
      'feeds: { kubernetes: { services: { coordinator: c, overlord: c } } }',
      'feeds.kubernetes.services.overlord: c is given twice; expected a Service of its own',
    ],
    [
      'feeds: { kubernetes: { services: { coordinator: c }, portName: "-" } }',
      'feeds.kubernetes.portName: expected the name of a port, such as http',
    ],
    [
      'feeds: { kubernetes: { services: { coordinator: c }, leaseDuration: 10s } }',
      'feeds.kubernetes.renewDeadline: is not below leaseDuration, so two gateways could write at the same time',
    ],
    [
      'feeds: { kubernetes: { services: { coordinator: c }, leaseDuration: 15500 } }',
      'feeds.kubernetes.leaseDuration: expected whole seconds, as a Lease has them',
    ],
    [
      'feeds: { kubernetes: { services: { coordinator: c }, retryPeriod: 9s } }',
      'feeds.kubernetes.renewDeadline: is not above 1.2 times retryPeriod',
    ],
    ['forwarded: { hops: -1 }', 'forwarded.hops: expected a whole number from 0 to 100'],
    ['forwarded: { header: x-real-ip }', 'forwarded.header: expected one of x-forwarded-for, forwarded'],
    [
      'cors: { origins: ["null"] }',
      'cors.origins[0]: expected an origin such as https://bi.example.com, or *',
    ],
    ['cors: { origins: ["https://a/b"] }', 'cors.origins[0]: expected an origin'],
    ['cors: { origins: ["https://u@a"] }', 'cors.origins[0]: expected an origin'],
    [
      'cors: { origins: ["*"], credentials: true }',
      'cors.credentials: cannot be true where cors.origins is *',
    ],
    ['cors: { origins: ["*", "https://a"] }', 'cors.origins: has * and others'],
    ['cors: { methods: [TRACE] }', 'cors.methods[0]: expected one of GET, HEAD, POST, PUT, DELETE'],
    ['cors: { headers: ["a b"] }', 'cors.headers[0]: expected the name of a header'],
    ['redirect: { clients: [10.0.0.0/33] }', 'redirect.clients[0]: expected an IP address or a network'],
    [
      'redirect: { addresses: [{ from: "*" }] }',
      'redirect.addresses[0].to: is missing; expected an http(s) URL',
    ],
    ['redirect: { methods: [TRACE] }', 'redirect.methods[0]: expected one of GET, HEAD, POST, PUT, DELETE'],
    ['upstream: { tls: { certFile: a.pem } }', 'upstream.tls.certFile: certFile and keyFile come together'],
    ['zookeeper: { auth: { user: u } }', 'zookeeper.auth: has neither password nor passwordFile'],
    ['upstream: { bufferBody: 1XB }', 'upstream.bufferBody: expected a size such as 64KiB or 1MiB'],
    ['a: 1\na: 2', ':2: Map keys must be unique'],
    ['a: [', ':'],
    ['- a', 'expected a mapping of keys to values'],
    ['log: { access: maybe }', 'log.access: expected true or false, not "maybe"'],
    [
      'brokers: { tiers: { hot: druid/hot } }',
      'brokers.defaultService: druid/broker is no service of brokers.tiers; expected one of druid/hot',
    ],
    [
      'brokers: { tiers: { 1: druid/hot, 2: druid/broker } }',
      'brokers.tiers: expected a map of tiers to Broker services, or (where tiers are named by numbers) a list of',
    ],
    ['brokers: { tiers: { hot: 7 } }', 'brokers.tiers[0].service: expected the name of a Broker service'],
    [
      'brokers: { tiers: [{ tier: a, service: druid/broker }, { tier: a, service: b }] }',
      'brokers.tiers[1].tier: there are two tiers a',
    ],
    [
      'brokers:\n  rules:\n    - { match: { user: a }, service: druid/hot }',
      ':3: brokers.rules[0].service: druid/hot is no service of brokers.tiers; expected one of druid/broker',
    ],
    [
      'brokers: { rules: [{ match: {}, service: druid/broker }] }',
      'brokers.rules[0].match: is empty; expected at least one thing that must match',
    ],
    [
      'brokers: { rules: [{ match: { contextValue: a }, service: druid/broker }] }',
      'brokers.rules[0].match.contextValue: needs a contextKey',
    ],
    [
      'brokers: { rules: [{ match: { header: "Authorization: Basic eDp5" }, service: druid/broker }] }',
      'brokers.rules[0].match.header: expected NAME or "NAME: VALUE", and not a header that holds credentials',
    ],
    [
      'brokers: { rules: [{ match: { usr: a }, service: druid/broker }] }',
      'there is no such key; did you mean',
    ],
    [
      'brokers: { strategies: [javascript] }',
      'brokers.strategies[0].type: expected one of timeBoundary, priority',
    ],
    [
      'brokers: { strategies: [{ type: manual, minPriority: 1 }] }',
      'brokers.strategies[0].minPriority: is not for a strategy of type manual',
    ],
    [
      'brokers: { strategies: [{ type: priority, minPriority: 2 }] }',
      'brokers.strategies[0].minPriority: is above maxPriority',
    ],
    [
      'brokers: { strategies: [{ type: manual, defaultManualBrokerService: b }] }',
      'brokers.strategies[0].defaultManualBrokerService: b is no service of brokers.tiers',
    ],
    ['__proto__: { listen: 1 }', '__proto__: there is no such key'],
  ])('%s', (text, expected) => {
    const problems = problemsOf({ file: file(text, '0.yaml') });
    expect(problems.join('\n')).toContain(expected);
  });

  test('all at once, from all sources', () => {
    const problems = problemsOf({
      flags: { listen: 'nowhere', 'log-level': 'loud' },
      environment: { DRUID_GATEWAY__LISTN: '1', DRUID_GATEWAY__PARKING__MAX_WAIT: 'long', OTHER: 'x' },
      file: file('admin: { listen: x }\n', 'all.yaml'),
    });
    expect(problems).toEqual([
      'environment variable DRUID_GATEWAY__LISTN: there is no such key; did you mean DRUID_GATEWAY__LISTEN?',
      expect.stringMatching(/^flag --listen: listen: expected HOST:PORT/),
      expect.stringMatching(/^all.yaml:1: admin.listen: expected HOST:PORT/),
      expect.stringMatching(
        /^environment variable DRUID_GATEWAY__PARKING__MAX_WAIT: parking.maxWait: expected/,
      ),
      expect.stringMatching(/^flag --log-level: log.level: expected one of trace/),
    ]);
  });

  test('a file that is not there', () => {
    expect(problemsOf({ file: join(folder, 'none.yaml') })).toEqual(['none.yaml: cannot be read (ENOENT)']);
  });
});

describe('secrets', () => {
  const SECRET = 'dont-tell-anyone';

  test('come from files, and are in no redacted copy', () => {
    file(`${SECRET}\n`, 'password');
    const config = loadConfig({
      file: file('zookeeper: { auth: { user: druid, passwordFile: password } }\n'),
    });
    expect(config.zookeeper.auth).toEqual({ scheme: 'digest', user: 'druid', password: SECRET });
    expect(JSON.stringify(redact(config))).not.toContain(SECRET);
    expect(redact(config)).toMatchObject({ zookeeper: { auth: { user: 'druid', password: '[redacted]' } } });
  });

  test('can be named by an environment variable that points to a file', () => {
    const environment = {
      DRUID_GATEWAY__ZOOKEEPER__AUTH__USER: 'druid',
      DRUID_GATEWAY__ZOOKEEPER__AUTH__PASSWORD_FILE: file(SECRET, 'password'),
    };
    expect(loadConfig({ environment }).zookeeper.auth?.password).toBe(SECRET);
  });

  test('the first source that gives a password wins, as text or as a file', () => {
    file('in-a-file', 'password');
    const named = file('zookeeper: { auth: { user: u, passwordFile: password } }\n');
    const written = file('zookeeper: { auth: { user: u, password: written } }\n');
    const text = { DRUID_GATEWAY__ZOOKEEPER__AUTH__PASSWORD: 'text' };
    const pointer = { DRUID_GATEWAY__ZOOKEEPER__AUTH__PASSWORD_FILE: join(folder, 'password') };
    const password = (sources: ConfigSources) => loadConfig(sources).zookeeper.auth?.password;
    expect(password({ file: named, environment: text })).toBe('text');
    expect(password({ file: written, environment: pointer })).toBe('in-a-file');
  });

  test.each([
    [`zookeeper: { auth: "druid:${SECRET}" }`],
    [`zookeeper: { auth: { user: u, password: [${SECRET}] } }`],
    [`zookeeper: { auth: { user: u, password: ${SECRET}, passwordFile: p } }`],
    [`zookeeper: { auth: { password: ${SECRET}, passwrd: ${SECRET} } }`],
    [`zookeeper: { connect: "user:${SECRET}@zk:2181" }`],
    [`brokers: { rules: [{ match: { header: "Authorization: ${SECRET}" }, service: druid/broker }] }`],
    [`brokers: { rules: { match: { header: "Authorization: ${SECRET}" } } }`],
    [`brokers: { loadRules: { auth: "user:${SECRET}" } }`],
    [`brokers: { loadRules: { auth: { user: u, passwordFile: [${SECRET}] } } }`],
    [`brokers: { loadRules: "${SECRET}" }`],
    [`listen: { tls: "${SECRET}" }`],
    [`listen: { tls: { certFile: a, keyFile: b, keyPassphraseFile: { x: ${SECRET} } } }`],
    [`admin: "${SECRET}"`],
    [`admin: { tokenFile: [${SECRET}] }`],
    [`zookeeper: { auth: { user: u, password: *${SECRET} } }`],
    [`zookeeper: { auth: { user: u, password: !${SECRET} } }`],
    [`zookeeper: { auth: { user: u, password: !${SECRET} x } }`],
    [`zookeeper: { auth: { user: u, password: &${SECRET} *${SECRET} } }`],
    [`zookeeper: { auth: { user: u, password: "\\${SECRET}" } }`],
    [`zookeeper:\n  auth:\n    password: >${SECRET}\n`],
    [`%${SECRET}\nzookeeper: {}`],
    [`zookeeper: { auth: { user: u, password: [}${SECRET} } }`],
    [`zookeeper: { auth: { user: u, password: @${SECRET} } }`],
    [`zookeeper:\n  auth:\n   user: u\n    password: ${SECRET}: x\n`],
  ])('are in no message about %s', (text) => {
    const problems = problemsOf({ file: file(text) });
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join()).not.toContain(SECRET);
  });

  test('are no value of a header that a rule asks for', () => {
    const { brokers } = redact(
      loadConfig({
        file: file(
          `brokers: { rules: [{ match: { header: "X-Api-Key: ${SECRET}" }, service: druid/broker }] }`,
        ),
      }),
    ) as { brokers: { rules: unknown[] } };
    expect(brokers.rules).toEqual([{ match: { header: 'X-Api-Key: [redacted]' }, service: 'druid/broker' }]);
  });

  test('the variables that may hold them are named, and no others', () => {
    const properties = (text: string): string => file(text, 'secret.properties');
    const named = (druidProperties: string, more = {}): string[] => {
      const names: string[] = [];
      loadConfig({
        druidProperties,
        environment: { PATH: '/bin', ZK: 'zk:1', PART: SECRET, WHOLE: SECRET, ...more },
        onSecretVariable: (name) => names.push(name),
      });
      return names;
    };
    const common = 'druid.zk.service.host=${env:ZK}\ndruid.zk.service.user=u\n';
    expect(named(properties(`${common}druid.zk.service.pwd=x\${env:PART}`))).toEqual(['PART']);
    const provider = properties(`${common}druid.zk.service.pwd={"type":"environment","variable":"WHOLE"}`);
    expect(named(provider)).toEqual(['WHOLE']);
    const own = { DRUID_GATEWAY__ZOOKEEPER__AUTH__PASSWORD: SECRET };
    expect(named(provider, own)).toEqual(['WHOLE', 'DRUID_GATEWAY__ZOOKEEPER__AUTH__PASSWORD']);
  });

  test('a password file that is missing or empty is an error', () => {
    const auth = (name: string): string =>
      file(`zookeeper: { auth: { user: u, passwordFile: ${name} } }`, 'auth.yaml');
    expect(problemsOf({ file: auth('nothing') })).toEqual([
      'auth.yaml:1: zookeeper.auth.passwordFile: nothing cannot be read (ENOENT)',
    ]);
    file('\n', 'blank');
    expect(problemsOf({ file: auth('blank') })).toEqual([
      'auth.yaml:1: zookeeper.auth.passwordFile: blank is empty',
    ]);
  });
});

describe("Druid's own properties", () => {
  const load = (text: string, environment = {}) =>
    loadConfig({ druidProperties: file(text, 'druid.properties'), environment }).zookeeper;

  test('hosts, paths, session timeout and digest', () => {
    const zookeeper = load(
      [
        'druid.zk.service.host=zk1:2181,\\',
        '   zk2:2181/druid-prod',
        'druid.zk.service.sessionTimeoutMs=15000',
        'druid.zk.paths.base=prod',
        'druid.zk.service.user=druid',
        'druid.zk.service.pwd={"type":"environment","variable":"ZK_PASSWORD"}',
        'druid.zk.service.authScheme=digest',
        'druid.extensions.loadList=["a"]',
      ].join('\n'),
      { ZK_PASSWORD: 'secret' },
    );
    expect(zookeeper).toEqual({
      connect: 'zk1:2181,zk2:2181/druid-prod',
      sessionTimeout: 15_000,
      basePath: '/prod',
      coordinatorPath: '/prod/coordinator',
      auth: { scheme: 'digest', user: 'druid', password: 'secret' },
    });
  });

  test('a coordinatorPath of its own, a plain password, an environment reference', () => {
    const zookeeper = load(
      'druid.zk.service.host=${env:ZK:-zk:2181}\ndruid.zk.paths.coordinatorPath=/elsewhere\n' +
        'druid.zk.service.user=u\ndruid.zk.service.pwd=p',
    );
    expect(zookeeper).toMatchObject({
      connect: 'zk:2181',
      coordinatorPath: '/elsewhere',
      auth: { user: 'u', password: 'p' },
    });
  });

  test("a password given elsewhere wins over Druid's, whose user still counts", () => {
    const environment = { DRUID_GATEWAY__ZOOKEEPER__AUTH__PASSWORD_FILE: file('better\n', 'password') };
    for (const pwd of ['worse', '{"type":"aws"}']) {
      const { auth } = load(`druid.zk.service.user=u\ndruid.zk.service.pwd=${pwd}`, environment);
      expect(auth).toEqual({ scheme: 'digest', user: 'u', password: 'better' });
    }
  });

  test("the Router's tiers, default service, strategies, default rule and poll period", () => {
    const text = [
      'druid.router.defaultBrokerServiceName=druid:broker-cold',
      'druid.router.tierToBrokerMap={"hot":"druid:broker-hot","_default_tier":"druid:broker-cold"}',
      'druid.router.strategies=[{"type":"manual","defaultManualBrokerService":null},{"type":"priority","minPriority":-1}]',
      'druid.router.defaultRule=_mine',
      'druid.router.pollPeriod=PT30S',
    ].join('\n');
    const brokers = (more = '') =>
      loadConfig({ druidProperties: file(text + more, 'druid.properties') }).brokers;
    expect(brokers()).toMatchObject({
      defaultService: 'druid:broker-cold',
      tiers: [
        { tier: 'hot', service: 'druid:broker-hot' },
        { tier: '_default_tier', service: 'druid:broker-cold' },
      ],
      strategies: [
        { type: 'manual', sql: false },
        { type: 'priority', minPriority: -1 },
      ],
      loadRules: { defaultRule: '_mine', pollInterval: 30_000 },
    });
    expect(brokers('\ndruid.router.sql.enable=true').strategies[0]).toEqual({ type: 'manual', sql: true });
    const own = file('brokers: { strategies: [timeBoundary] }\n');
    const both = loadConfig({ file: own, druidProperties: file(text, 'druid.properties') }).brokers;
    expect([both.strategies.length, both.tiers.length]).toEqual([1, 2]);
  });

  test.each([
    ['druid.router.tierToBrokerMap={"hot"', 'druid.router.tierToBrokerMap: is no valid JSON'],
    ['druid.router.strategies={}', 'druid.router.strategies: is no list of strategies'],
    ['druid.router.strategies=[{"type":"javascript"}]', 'expected one of timeBoundary, priority, manual'],
    ['druid.router.pollPeriod=often', 'druid.router.pollPeriod: is no duration such as PT1M'],
    ['druid.router.tierToBrokerMap=["a"]', 'druid.router.tierToBrokerMap: brokers.tiers[0]: expected'],
    ['druid.zk.service.enabled=false', 'druid.zk.service.enabled: this cluster does not use ZooKeeper'],
    ['druid.zk.service.host=a:b:c', 'druid.properties: druid.zk.service.host: zookeeper.connect: expected'],
    ['druid.zk.service.host=${sys:zk}', '${sys:...} cannot be resolved here'],
    ['druid.zk.service.pwd={"type":"aws"}', 'is a password provider other than default and environment'],
    ['druid.zk.service.pwd={"password":"x"', 'is no valid JSON of a password provider'],
  ])('%s is refused', (text, expected) => {
    expect(problemsOf({ druidProperties: file(text, 'druid.properties') }).join('\n')).toContain(expected);
  });
});

test('every key can be set by its environment variable', () => {
  for (const [path, node] of leaves()) {
    if (node.default === undefined || node.type === 'array') continue;
    const config = (): unknown =>
      valueAt(
        loadConfig({
          environment: {
            [variableOf(path)]: String(node.default),
            DRUID_GATEWAY__LISTEN__TLS__CERT_FILE: 'a',
            DRUID_GATEWAY__LISTEN__TLS__KEY_FILE: 'b',
            DRUID_GATEWAY__ADMIN__TLS__CERT_FILE: 'a',
            DRUID_GATEWAY__ADMIN__TLS__KEY_FILE: 'b',
            DRUID_GATEWAY__KUBERNETES__CLUSTER_IDENTIFIER: 'druid',
            DRUID_GATEWAY__CONSUL__SERVICE_PREFIX: 'druid',
            DRUID_GATEWAY__ZOOKEEPER__AUTH__USER: 'u',
            DRUID_GATEWAY__ZOOKEEPER__AUTH__PASSWORD: 'p',
            DRUID_GATEWAY__FEEDS__HAPROXY__SOCKET: 's',
            DRUID_GATEWAY__FEEDS__HAPROXY__BACKENDS__COORDINATOR: 'c',
            DRUID_GATEWAY__FEEDS__KUBERNETES__SERVICES__COORDINATOR: 'c',
          },
        }),
        path,
      );
    expect([formatPath(path), config()]).toEqual([formatPath(path), node.default]);
  }
});

test('a configuration that is written out loads to itself', () => {
  const ports = fc.integer({ min: 0, max: 65_535 });
  const durations = fc.integer({ min: 1_000, max: 1_000_000 });
  fc.assert(
    fc.property(ports, durations, fc.boolean(), fc.ipV6(), (port, sessionTimeout, access, host) => {
      const once = loadConfig({
        file: file(
          stringify({ listen: { host, port }, zookeeper: { sessionTimeout }, log: { access } }),
          'random.yaml',
        ),
      });
      expect(once).toMatchObject({ listen: { host, port }, zookeeper: { sessionTimeout }, log: { access } });
      expect(loadConfig({ file: file(stringify(once), 'again.yaml') })).toEqual(once);
    }),
    { numRuns: 50 },
  );
});
