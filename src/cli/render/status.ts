import type { Tone } from '../../logs/style.ts';
import { plainText } from '../output/plain-text.ts';
import type { Screen } from '../output/screen.ts';
import { type Cell, layOutTable } from '../output/table.ts';
import { listIn, numberIn, shownDuration, textIn, valueIn } from '../output/values.ts';

const TONES: Readonly<Record<string, Tone>> = { serving: 'good', elected: 'doubtful', none: 'bad' };

/** Renders the body of `GET /status`: a line about the gateway, its leaders, its Brokers. */
export function renderStatus(body: unknown, origin: string, screen: Pick<Screen, 'style' | 'width'>): string {
  const { style, width } = screen;
  const parts = [
    about(body, origin),
    layOutTable(
      ['ROLE', 'STATE', 'NODE', 'TERM', 'FOR', 'KNOWN BY', 'REQUESTS'],
      ['coordinator', 'overlord'].map((role) => leaderRow(body, role)),
      width,
      style,
    ),
  ];
  for (const role of ['coordinator', 'overlord']) {
    const rivals = listIn(body, 'leaders', role, 'rivals').map((rival) => plainText(String(rival)));
    if (rivals.length > 0) parts.push(style(`rivals of the ${role}: ${rivals.join(', ')}`, 'bad'));
  }
  const brokers = listIn(body, 'brokers');
  parts.push(brokers.length === 0 ? style('no Brokers', 'bad') : brokersTable(brokers, screen));
  return parts.join('\n\n');
}

function about(body: unknown, origin: string): string {
  const age = numberIn(body, 'discovery', 'age');
  const read = age === null ? 'never read' : `read ${shownDuration(age * 1000)} ago`;
  const discovery = `${textIn(body, 'discovery', 'kind')} ${textIn(body, 'discovery', 'state')}, ${read}`;
  const uptime = numberIn(body, 'uptime');
  const up = `up ${shownDuration(uptime === null ? null : uptime * 1000)}`;
  const draining = valueIn(body, 'draining') === true ? ', draining' : '';
  const workers = listIn(body, 'workers');
  const basePath = textIn(body, 'config', 'listen', 'basePath');
  const serving = workers.filter((worker) => valueIn(worker, 'state') === 'serving').length;
  return [
    plainText(`druid-gateway ${textIn(body, 'version')} at ${origin}, ${up}${draining}`),
    plainText(`discovery: ${discovery}`),
    ...(basePath === '-' ? [] : [plainText(`clients: below ${basePath}/`)]),
    ...(workers.length === 0 ? [] : [`workers: ${serving} of ${workers.length} serve`]),
  ].join('\n');
}

function leaderRow(body: unknown, role: string): readonly Cell[] {
  const text = (key: string): string => textIn(body, 'leaders', role, key);
  const state = text('state');
  const waitReason = text('waitReason');
  const age = numberIn(body, 'leaders', role, 'age');
  return [
    role,
    { text: waitReason === '-' ? state : `${state} (${waitReason})`, tone: TONES[state] ?? 'plain' },
    text('node'),
    text('term'),
    shownDuration(age === null ? null : age * 1000),
    text('knownBy'),
    text('outstanding'),
  ];
}

/** The share is told only where a Broker has not the whole of it, so that there is room for why it gets queries or not. */
function brokersTable(
  brokers: readonly unknown[],
  { width, style }: Pick<Screen, 'style' | 'width'>,
): string {
  const shared = brokers.some((broker) => (numberIn(broker, 'share') ?? 1) < 1);
  const columns = [
    'BROKER',
    'SERVICE',
    'REQUESTS',
    'P50',
    'P99',
    'ERRORS',
    ...(shared ? ['SHARE'] : []),
    'WHY',
  ];
  const rows = brokers.map((broker): readonly Cell[] => {
    const share = numberIn(broker, 'share');
    return [
      textIn(broker, 'node'),
      textIn(broker, 'service'),
      textIn(broker, 'outstanding'),
      latencyIn(broker, 'p50Ms'),
      latencyIn(broker, 'p99Ms'),
      errorsIn(broker),
      ...(shared ? [share === null ? '-' : `${Math.round(share * 100)}%`] : []),
      { text: textIn(broker, 'why'), tone: valueIn(broker, 'ready') === true ? 'good' : 'bad' },
    ];
  });
  return layOutTable(columns, rows, width, style);
}

/** Milliseconds are told in whole ones: a latency of less than one is none to people. */
function latencyIn(broker: unknown, key: string): string {
  const ms = numberIn(broker, 'lastMinute', key);
  return ms === null ? '-' : shownDuration(Math.max(1, Math.round(ms)));
}

/** Errors of the last minute, with the attempts that they are of. */
function errorsIn(broker: unknown): Cell {
  const attempts = numberIn(broker, 'lastMinute', 'attempts') ?? 0;
  const errors = numberIn(broker, 'lastMinute', 'errors') ?? 0;
  if (attempts === 0 && errors === 0) return '-';
  return { text: `${errors}/${attempts}`, tone: errors > 0 ? 'bad' : 'plain' };
}
