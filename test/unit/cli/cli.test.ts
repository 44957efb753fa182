import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'druid-gateway-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(args: readonly string[], environment: Record<string, string> = {}) {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const result: { out: string; err: string } = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    result.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    result.err += text;
  });
  const ended = once(child, 'close').then(([code]): Result => ({ code: code as number | null, ...result }));
  return { child, ended };
}

const run = (args: readonly string[], environment?: Record<string, string>): Promise<Result> =>
  start(args, environment).ended;

const QUIET = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--zookeeper', '127.0.0.1:1'];

test('--help and --version', async () => {
  const help = await run(['--help']);
  expect(help).toMatchObject({ code: 0, err: '' });
  expect(help.out).toContain('--zookeeper HOST:PORT[,HOST:PORT...][/chroot]');
  expect(await run(['--listen', '127.0.0.1:0', '--help'])).toEqual(help);
  expect(await run(['help'])).toEqual(help);
  expect(await run(['--version'])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  });
});

test.each([
  [['serv'], 'there is no command serv, did you mean serve?'],
  [['--lisen', 'x'], 'there is no option --lisen, did you mean --listen?'],
  [['-x'], 'there is no option -x; see --help'],
  [['serve', 'now'], 'now is one argument too many'],
  [['--listen', 'a:1', 'serv'], 'there is no command serv, did you mean serve?'],
  [['help', 'serv'], 'there is no command serv; see --help'],
  [['check-config', '--prnt'], 'there is no option --prnt, did you mean --print?'],
  [['--listen'], "option '--listen <HOST:PORT>' argument missing"],
  [['--listen', '--admin', 'a:1'], "option '--listen <HOST:PORT>' argument '--admin' is invalid"],
  [['--print'], '--print goes with check-config only'],
  [['serve', '--print'], '--print goes with check-config only'],
  [['check-config', '--print=yes'], '--print takes no value'],
  [['doctor', '--skip', 'zk.server'], '--skip: there is no check zk.server; docs/doctor.md lists them'],
  [['doctor', '--watch', 'soon'], '--watch: soon is no duration such as 60s'],
  [['doctor', '--watch', '2h'], '--watch: 2h is no duration such as 60s, of an hour at most'],
  [['doctor', '--druid-user', 'admin'], '--druid-user and --druid-password-file go together'],
  [['doctor', '--druid-user', 'a', '--druid-password-file', 'none.txt'], 'none.txt cannot be read (ENOENT)'],
  [['doctor', '--metadata-user', 'druid'], 'go with --metadata-url'],
  [
    ['doctor', '--metadata-url', 'postgresql://u:hunter2@db-1:x/druid'],
    '--metadata-url: a port of it is no number',
  ],
  [
    ['doctor', '--metadata-url', 'jdbc:derby://db-1/druid'],
    'only PostgreSQL, MySQL and MariaDB can be asked',
  ],
  [
    ['doctor', '--metadata-url', 'mysql://u@db/druid', '--metadata-password-file', 'none.txt'],
    '--metadata-password-file: none.txt cannot be read (ENOENT)',
  ],
  [['doctor', '--druid-user', 'a:b', '--druid-password-file', 'x'], '--druid-user: a user has no colon'],
  [['doctor', '--admin', 'http://a/b'], '--admin: http://a/b is no URL such as http://127.0.0.1:9888'],
  [['doctor', '--admin', 'nowhere'], 'flag --admin: admin.listen: expected HOST:PORT'],
  [['--strict'], '--strict goes with doctor only'],
  [['--listen', 'nowhere'], 'flag --listen: listen: expected HOST:PORT'],
  [['--config', 'none.yaml'], 'none.yaml: cannot be read (ENOENT)'],
  [['check-config', '--discovery', 'etcd'], 'discovery.type: expected one of zookeeper, kubernetes'],
])('%j is misuse: code 2 and one sentence', async (args, sentence) => {
  const { code, out, err } = await run(args);
  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(/^druid-gateway: [^\n]+\n$/);
  expect(err).toContain(sentence);
});

test('check-config --print shows what all sources come to, without secrets', async () => {
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, 'zookeeper: { auth: { user: druid, password: very-secret } }\n');
  const { code, out } = await run(['check-config', '--print', '--config', file], {
    DRUID_GATEWAY__PARKING__MAX_WAIT: '7s',
  });
  expect(code).toBe(0);
  expect(out).toContain('maxWait: 7000');
  expect(out).toContain('[redacted]');
  expect(out).not.toContain('very-secret');
  expect((await run(['--print', 'check-config', '--config', file])).out).toContain('maxWait: 40000');
});

test('check-config warns of what is dangerous, apart from what it prints', async () => {
  const environment = { DRUID_GATEWAY__UPSTREAM__TLS__VERIFY: 'false' };
  const { code, out, err } = await run(['check-config'], environment);
  expect([code, out]).toEqual([0, 'The configuration is valid.\n']);
  expect(err).toMatch(/^druid-gateway: warning: upstream\.tls\.verify is false: [^\n]+\n$/);
  const printed = await run(['check-config', '--print'], environment);
  expect(printed).toMatchObject({ code: 0, err });
  expect(printed.out).not.toContain('warning');
});

test('an admin listener that anybody could act by is refused, with what to do', async () => {
  for (const command of ['serve', 'check-config']) {
    const { code, out, err } = await run([command, '--admin', '0.0.0.0:0']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^druid-gateway: flag --admin: admin\.listen\.host: .* admin\.tokenFile [^\n]*\n$/);
  }
});

describe('doctor', () => {
  const dead = ['doctor', '--zookeeper', '127.0.0.1:1', '--admin', '127.0.0.1:1'];

  test('says in text what is wrong and what to do, and ends with 1', async () => {
    const { code, out, err } = await run(dead);
    expect([code, err]).toEqual([1, '']);
    expect(out).toMatch(/^\[INFO\] 1 ZooKeeper\n\[FAIL\] 1\.1 zk\.servers: /);
    expect(out).toContain('127.0.0.1:1: ECONNREFUSED\n       Remedy: Start the servers');
    expect(out).toMatch(/== Summary ==\n\d+ checks PASS\n0 checks WARN\n1 checks FAIL\n/);
  });

  test('ends with 0 where nothing fails, and writes JSON and JUnit', async () => {
    const junit = join(folder, 'doctor.xml');
    const { code, out, err } = await run([...dead, '--skip', 'zk', '--json', '--junit', junit]);
    expect([code, err]).toEqual([0, '']);
    const { checks, totals } = JSON.parse(out);
    expect([checks.length, totals.fail]).toEqual([46, 0]);
    expect(readFileSync(junit, 'utf8')).toContain('<testsuite name="druid-gateway doctor" tests="46"');
  });

  test('with --strict ends with 1 where a check warns', async () => {
    const environment = { DRUID_GATEWAY__PARKING__MAX_WAIT: '1s' };
    expect((await run([...dead, '--skip', 'zk'], environment)).code).toBe(0);
    expect((await run([...dead, '--skip', 'zk', '--strict'], environment)).code).toBe(1);
  });

  test.each([
    [['--junit', join(folder, 'none', 'x.xml')], {}, '--junit: '],
    [
      [],
      { DRUID_GATEWAY__ZOOKEEPER__TLS__CA_FILE: join(folder, 'none.pem') },
      'none.pem cannot be read (ENOENT)',
    ],
  ])('a file that cannot be used is misuse: %j %j', async (args, environment, sentence) => {
    const { code, out, err } = await run([...dead, ...args], environment);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(sentence);
  });
});

describe('serve', () => {
  test('says one line when it serves, answers, and ends with 0 on SIGTERM', async () => {
    const { child, ended } = start(['serve', ...QUIET, '--log-level', 'silent']);
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const found = /^druid-gateway \d\S* serves on (http:\S+), admin on (http:\S+)$/.exec(line);
    const [, url, admin] = found ?? [];
    expect(await (await fetch(`${url}/status/health`)).text()).toBe('true');
    const ready = await fetch(`${admin}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      expect.objectContaining({ status: 'not ready' }),
    ]);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, out: `${line}\n`, err: '' });
  });

  test('is the default, with defaults from the environment', async () => {
    const { child, ended } = start([], {
      DRUID_GATEWAY__LISTEN: '127.0.0.1:0',
      DRUID_GATEWAY__ADMIN__LISTEN: '127.0.0.1:0',
      DRUID_GATEWAY__ZOOKEEPER__CONNECT: '127.0.0.1:1',
    });
    await once(createInterface(child.stdout), 'line');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 0 });
  });

  test('a second signal ends it at once with 1', async () => {
    const { child, ended } = start(QUIET, { DRUID_GATEWAY__SHUTDOWN__DELAY: '10m' });
    const log = createInterface(child.stderr);
    const draining = new Promise<void>((resolve) => {
      log.on('line', (line) => line.includes('"draining"') && resolve());
    });
    await once(createInterface(child.stdout), 'line');
    child.kill('SIGTERM');
    await draining;
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 1 });
  });

  test('with a port that is taken ends with 1 and one sentence', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const taken = `127.0.0.1:${(server.address() as { port: number }).port}`;
    for (const flag of ['--listen', '--admin']) {
      const { code, out, err } = await run([...QUIET, flag, taken, '--log-level', 'silent']);
      expect([code, out]).toEqual([1, '']);
      expect(err).toBe(`druid-gateway: cannot listen on ${taken}: something else listens there\n`);
    }
    server.close();
  });

  test('with a host name that has no address ends with 1 and one sentence', async () => {
    const { code, out, err } = await run([
      ...QUIET,
      '--listen',
      'gateway.invalid:1',
      '--log-level',
      'silent',
    ]);
    expect([code, out]).toEqual([1, '']);
    expect(err).toBe(
      'druid-gateway: cannot listen on gateway.invalid: this machine knows no address of that name\n',
    );
  });

  test('with certificates that are not there ends with 1 and one sentence', async () => {
    const file = join(folder, 'tls.yaml');
    writeFileSync(file, 'listen: { tls: { certFile: none.pem, keyFile: none.key } }\n');
    const { code, err } = await run(['--config', file]);
    expect(code).toBe(1);
    expect(err).toBe(`druid-gateway: the file ${join(folder, 'none.pem')} cannot be read (ENOENT)\n`);
  });

  test('never shows the password of ZooKeeper', async () => {
    const { child, ended } = start([...QUIET], {
      DRUID_GATEWAY__ZOOKEEPER__AUTH__USER: 'druid',
      DRUID_GATEWAY__ZOOKEEPER__AUTH__PASSWORD: 'very-secret',
      DRUID_GATEWAY__LOG__LEVEL: 'trace',
    });
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const [, admin] = /admin on (\S+)$/.exec(line) ?? [];
    const status = await (await fetch(`${admin}/status`)).text();
    expect(status).toContain('[redacted]');
    child.kill('SIGTERM');
    const { out, err } = await ended;
    expect(status + out + err).not.toContain('very-secret');
  });
});
