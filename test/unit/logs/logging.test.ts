import { execFile } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { createAccessLog } from '../../../src/logs/access-log.ts';
import { logClusterEvents } from '../../../src/logs/event-log.ts';
import { createLogger } from '../../../src/logs/logger.ts';
import { exchange, FakeCluster, FakeDiscovery, node, serving } from '../admin/fakes.ts';

type Line = Record<string, unknown>;

function capture() {
  const lines: Line[] = [];
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) };
  return { lines, logger: createLogger({ level: 'info', stream }) };
}

describe('the access log', () => {
  test('an exchange is one line with everything known of it', () => {
    const { lines, logger } = capture();
    createAccessLog(logger)(exchange({ parkedMs: 1.26, queryId: 'q-1' }));
    expect(lines).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        id: 'r-1',
        method: 'POST',
        path: '/druid/v2/sql',
        role: 'broker',
        class: 'query',
        status: 200,
        reason: null,
        upstream: '10.0.0.1:8082',
        attempts: 1,
        redirected: false,
        ms: 12.3,
        parkedMs: 1.3,
        bytesIn: 100,
        bytesOut: 1000,
        end: 'complete',
        remote: '192.0.2.1',
        queryId: 'q-1',
        msg: 'request',
      },
    ]);
  });

  test.each([
    ['warn', exchange({ status: 503, reason: 'no_leader' })],
    ['warn', exchange({ end: 'upstream_cut' })],
    ['warn', exchange({ end: 'incomplete' })],
    ['info', exchange({ status: 404 })],
    ['info', exchange({ end: 'client_gone', status: 499 })],
  ])('a line is %s for %o', (level, record) => {
    const { lines, logger } = capture();
    createAccessLog(logger)(record);
    expect(lines.map((line) => line.level)).toEqual([level]);
  });

  test('without it, answers that were not whole still have their line', () => {
    const { lines, logger } = capture();
    const log = createAccessLog(logger, { everything: false });
    log(exchange());
    log(exchange({ status: 503 }));
    log(exchange({ end: 'incomplete', queryId: 'q-1' }));
    log(exchange({ end: 'upstream_cut', queryId: 'q-2' }));
    expect(lines.map(({ level, queryId }) => [level, queryId])).toEqual([
      ['warn', 'q-1'],
      ['warn', 'q-2'],
    ]);
  });

  test('it says which Broker service was chosen, and by what', () => {
    const { lines, logger } = capture();
    const placement = { service: 'druid/hot', by: 'rule', rule: 2, fellBack: false } as const;
    createAccessLog(logger)(exchange({ placement }));
    createAccessLog(logger)(
      exchange({ placement: { ...placement, by: 'manual', rule: null, fellBack: true } }),
    );
    expect(lines[0]).toMatchObject({ service: 'druid/hot', chosenBy: 'rule 2' });
    expect(lines[0]).not.toHaveProperty('fellBack');
    expect(lines[1]).toMatchObject({ service: 'druid/hot', chosenBy: 'manual', fellBack: true });
  });

  test('health checks of the gateway leave no line; the same path on a node does', () => {
    const { lines, logger } = capture();
    const log = createAccessLog(logger);
    log(exchange({ role: 'local', class: 'local', path: '/status/health' }));
    log(exchange({ role: 'local', class: 'local', path: '/status/ready' }));
    log(exchange({ role: 'local', class: 'local', path: '/status' }));
    log(exchange({ role: 'coordinator', class: 'read', path: '/status/health' }));
    expect(lines.map(({ role, path }) => [role, path])).toEqual([
      ['local', '/status'],
      ['coordinator', '/status/health'],
    ]);
  });

  test('a path can neither break the line nor fill the log', () => {
    const { lines, logger } = capture();
    createAccessLog(logger)(exchange({ path: `/"\n{"level":"fatal"}${'x'.repeat(5000)}` }));
    expect(lines).toHaveLength(1);
    expect(String(lines[0]?.path)).toHaveLength(1025);
  });
});

describe('an id that a node or a client made up', () => {
  test.each([
    ['q-1', 'q-1'],
    ['\ud800', null],
    ['..', null],
    ['x'.repeat(257), null],
    ['a\u009b31m', null],
  ])('%j is logged as %j', (queryId, logged) => {
    const { lines, logger } = capture();
    createAccessLog(logger)(exchange({ queryId }));
    expect(lines[0]?.queryId).toBe(logged);
  });

  test('has nothing in its line that a terminal acts upon', () => {
    const written: string[] = [];
    const stream = { write: (line: string) => void written.push(line) };
    const acting = 'a\u202eb\u2028c';
    createAccessLog(createLogger({ level: 'info', stream }))(
      exchange({ queryId: acting, path: '/\x7f\x9b', remoteAddress: '\x1b[31m' }),
    );
    expect(written[0]).toMatch(/^[ -~]*\n$/);
    expect(JSON.parse(written[0] ?? '')).toMatchObject({ queryId: acting, path: '/\x7f\x9b' });
  });
});

describe('the logger', () => {
  test('no field of any line is longer than it may be, or has what a terminal acts upon', () => {
    const texts: string[] = [];
    const logger = createLogger({ level: 'info', stream: { write: (line) => void texts.push(line) } });
    const odd = '\u202e\u009b\u007f\u200b\ufeff\u2028';
    const long = `${odd}${'x'.repeat(100_000)}`;
    logger.warn({ fault: long, stack: long }, odd);
    createAccessLog(logger)(exchange({ method: long, path: long, upstream: long, remoteAddress: long }));
    for (const text of texts) {
      expect(text.length).toBeLessThan(20_000);
      expect(text).toMatch(/^[\x20-\x7e…]*\n$/);
    }
    const [warned, asked] = texts.map((text) => JSON.parse(text) as Record<string, string>);
    expect(warned?.fault).toBe(`${long.slice(0, 1024)}…`);
    expect(warned?.stack).toBe(`${long.slice(0, 16 * 1024)}…`);
    expect(warned?.msg).toBe(odd);
    expect(asked?.upstream).toBe(`${long.slice(0, 1024)}…`);
  });

  test('fields that hold credentials are redacted', () => {
    const { lines, logger } = capture();
    logger.info({
      password: 'p1',
      zookeeper: { password: 'p2' },
      headers: { authorization: 'p3', cookie: 'p4' },
    });
    expect(JSON.stringify(lines)).not.toMatch(/p[1-4]/);
    expect(lines[0]?.password).toBe('[redacted]');
  });

  test('lines go to standard error, and the last one survives process.exit', async () => {
    const module = new URL('../../../src/logs/logger.ts', import.meta.url).href;
    const script = `
      const { createLogger } = await import(${JSON.stringify(module)});
      const logger = createLogger({ level: 'info' });
      for (let i = 0; i < 1000; i++) logger.info({ i }, 'line');
      process.exit(3);`;
    const { code, stdout, stderr } = await run(['--input-type=module', '-e', script]);
    expect(code).toBe(3);
    expect(stdout).toBe('');
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(1000);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ level: 'info', i: 999, msg: 'line' });
  });
});

function run(args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { maxBuffer: 1 << 24 }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

describe('events of the cluster', () => {
  function observed() {
    const cluster = new FakeCluster();
    const discovery = new FakeDiscovery();
    const { lines, logger } = capture();
    const clock = { now: 0 };
    const stop = logClusterEvents(logger, cluster, discovery, () => clock.now);
    return { cluster, discovery, lines, clock, stop };
  }

  test('a new leader is one line with where leadership came from and went to', () => {
    const { cluster, lines } = observed();
    cluster.lead(serving('overlord', node('a:8090'), 3));
    cluster.lead(serving('overlord', node('b:8090'), 4));
    expect(lines[1]).toMatchObject({
      level: 'info',
      msg: 'leader changed',
      role: 'overlord',
      term: 4,
      from: { state: 'serving', node: 'a:8090', term: 3 },
      to: { state: 'serving', node: 'b:8090', term: 4, knownBy: 'both' },
    });
  });

  test('two that claim to lead are an error', () => {
    const { cluster, lines } = observed();
    cluster.emit('conflict', { role: 'overlord', latch: 'http://a:8090', claims: 'http://b:8090' });
    expect(lines).toMatchObject([{ level: 'error', role: 'overlord', claims: 'http://b:8090' }]);
  });

  test('discovery that is out of touch is a warning, and back again is not', () => {
    const { discovery, lines } = observed();
    discovery.become({ state: 'suspended', since: 0, detail: 'connection reset' });
    discovery.become({ state: 'lost', since: 0, detail: null });
    discovery.become({ state: 'connected', since: 0, detail: null });
    expect(lines.map(({ level, state }) => [level, state])).toEqual([
      ['warn', 'suspended'],
      ['warn', 'lost'],
      ['info', 'connected'],
    ]);
  });

  test('faults are ten lines a minute at most, and the next line says how many were left out', () => {
    const { discovery, lines, clock } = observed();
    for (let i = 0; i < 25; i++) discovery.emit('fault', 'a znode cannot be parsed');
    expect(lines).toHaveLength(10);
    clock.now += 60_000;
    discovery.emit('fault', 'again');
    expect(lines.at(-1)).toMatchObject({ level: 'warn', fault: 'again', suppressed: 15 });
  });

  test('a node that TLS fails to is a warning, ten a minute at most', () => {
    const { cluster, lines } = observed();
    for (let i = 0; i < 15; i++) {
      cluster.emit('tlsFault', { origin: `https://a:${i + 1}`, why: 'its certificate is not trusted (X)' });
    }
    expect(lines).toHaveLength(10);
    expect(lines[0]).toMatchObject({
      level: 'warn',
      node: 'https://a:1',
      why: 'its certificate is not trusted (X)',
      msg: 'a node cannot be asked',
    });
  });

  test('after stopping nothing is logged and nobody listens', () => {
    const { cluster, discovery, lines, stop } = observed();
    stop();
    cluster.lead(serving('overlord', node('a:8090'), 3));
    expect(lines).toEqual([]);
    expect([...cluster.eventNames(), ...discovery.eventNames()]).toEqual([]);
  });
});
