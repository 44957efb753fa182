import { BODIES, type GeneratedRequest, methodOf, ODD_IDS, TIMEOUTS, targetOf, written } from './generate.ts';
import type { Random } from './random.ts';

const READS = [
  ...[
    '/metrics',
    '/health/live',
    '/health/ready',
    '/status',
    '/doctor',
    '/history',
    '/view',
    '/sd/prometheus',
  ],
  ...[
    '/view?version=0123456789abcdef&wait=50ms',
    '/view?wait=61s',
    '/view?version=&version=',
    '/view?wait[]=1s',
  ],
  ...['/metrics/', '/METRICS', '//status', '/status/..', '/health', '/health/%6cive', '/status;x', '/'],
];
const ACTIONS = ['cordon', 'drain', 'drain', 'return', 'return'];
const ODD_ACTIONS = ['', 'CORDON', '%63ordon', 'drain/', 'drain/x', 'constructor', '__proto__', '%', '%00'];
const ODD_NAMES = [
  ...ODD_IDS,
  ...['127.0.0.1', '127.0.0.1:0', '127.0.0.1:99999', '[::1]:80', ':', '__proto__', 'constructor', '', '*'],
];
/** How long a drain may take. */
const DURATIONS = [
  ...['0', '1ms', '50ms', '300ms', '1', '1h', '5m', '999999999999999h', '9007199254740993', '0001', '1%20s'],
  ...[
    '',
    '%20',
    '-1',
    '1e400',
    '0x10',
    'NaN',
    '1.5s',
    '1d',
    '1__proto__',
    '1constructor',
    '%00',
    '%',
    '%ff',
    '\xff',
  ],
  ...['1s&timeout=2s', '&timeout', '1s&timeout=', '1s&__proto__=x', '1s&timeout[a]=b', '9'.repeat(10_000)],
];

/** A request for the admin listener; `brokers` are those that there are. */
export function generateAdminRequest(random: Random, brokers: readonly string[]): GeneratedRequest {
  const kind = random.next();
  if (kind < 0.5) return action(random, brokers);
  return kind < 0.75 ? question(random) : read(random);
}

function read(random: Random): GeneratedRequest {
  const body = random.chance(0.1) ? random.pick(BODIES)(random) : null;
  const method = methodOf(random, body === null ? 'GET' : 'POST');
  return written({ kind: 'read', method, target: targetOf(random, READS), body }, random);
}

/** What a question of `POST /explain`, or a level of `PUT /log-level`, may have in place of what it should. */
const ODD_VALUES: readonly unknown[] = [
  null,
  0,
  '',
  [],
  {},
  '__proto__',
  '\u0000',
  'a\r\nb',
  'x'.repeat(70_000),
];

function question(random: Random): GeneratedRequest {
  const asked = random.chance(0.8) ? random.pick(BODIES)(random) : null;
  const told: Record<string, unknown> = {
    method: methodOf(random, asked === null ? 'GET' : 'POST'),
    path: targetOf(random, asked?.paths ?? READS),
    headers: { 'Content-Type': asked?.type ?? 'text/plain', Authorization: 'Basic eDp5' },
    ...(asked === null ? {} : { body: String(asked.content) }),
  };
  if (random.chance(0.2)) {
    const key = random.pick(['method', 'path', 'headers', 'body', 'bodyBase64', 'client', '__proto__']);
    told[key] = random.pick(ODD_VALUES);
  }
  const level = { level: random.pick(ODD_VALUES) };
  const discovery = {
    node: random.pick([{ id: 'e1' }, ...ODD_VALUES]),
    resource_names: random.pick([['druid-overlord-leader'], ['druid-brokers:x', '__proto__'], ...ODD_VALUES]),
    version_info: random.pick(ODD_VALUES),
  };
  const [target, usual, content] = random.chance(0.9)
    ? (['/explain', 'POST', told] as const)
    : random.pick([
        ['/log-level', 'PUT', level] as const,
        ['/v3/discovery:endpoints', 'POST', discovery] as const,
      ]);
  const body = { kind: 'question', type: 'application/json', paths: [], content: JSON.stringify(content) };
  return written({ kind: 'question', method: methodOf(random, usual), target, body }, random);
}

function action(random: Random, brokers: readonly string[]): GeneratedRequest {
  const body = random.chance(0.4) ? random.pick(BODIES)(random) : null;
  const known = random.pick(brokers);
  const name = random.chance(0.7) ? known : random.pick([...ODD_NAMES, encodeURIComponent(known)]);
  const path = `/brokers/${name}/${random.pick(random.chance(0.9) ? ACTIONS : ODD_ACTIONS)}`;
  const timeout = random.chance(0.8) ? random.pick(DURATIONS) : encodeURIComponent(random.pick(TIMEOUTS));
  const target = random.chance(0.5) ? `${path}?timeout=${timeout}` : targetOf(random, [path]);
  return written({ kind: 'action', method: methodOf(random, 'POST'), target, body }, random);
}
