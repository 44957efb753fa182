import type { Tone } from '../../logs/style.ts';
import { plainText } from '../output/plain-text.ts';
import type { Screen } from '../output/screen.ts';
import { layOutTable } from '../output/table.ts';
import { listIn, numberIn, shownDuration, textIn, valueIn } from '../output/values.ts';

const HOW: Readonly<Record<string, string>> = {
  leader: 'the node that leads',
  draw: 'the less busy of two drawn at random',
  connection: 'the Broker that has the JDBC connection',
  hash: 'by the hash of the JDBC connection',
  cancel: 'all that may run the query',
};

/** Renders the answer of `POST /explain`: what happens first, then why. */
export function renderExplanation(body: unknown, screen: Pick<Screen, 'style' | 'width'>): string {
  const { style, width } = screen;
  const { text, tone } = outcome(body);
  const lines = [
    ['outcome', style(plainText(text), tone)],
    ['request', plainText(`${textIn(body, 'request', 'method')} ${textIn(body, 'request', 'path')}`)],
    ['client', plainText(textIn(body, 'request', 'client'))],
    ['route', plainText(route(body))],
    ['tier', plainText(tier(body))],
    ['chosen', plainText(chosen(body))],
    ['redirect', plainText(redirect(body))],
    ['limits', plainText(limits(body))],
    ['evidence', plainText(evidence(body))],
  ].filter(([, value]) => value !== '');
  const worker = numberIn(body, 'worker');
  if (worker !== null)
    lines.push(['worker', `${worker}, whose own counts and parts of the limits these are`]);
  const facts = lines.map(([name = '', value]) => `${style(name.padEnd(9), 'faint')} ${value}`).join('\n');
  const candidates = listIn(body, 'choice', 'candidates');
  if (candidates.length === 0) return facts;
  const rows = candidates.map((candidate) => {
    const refusal = textIn(candidate, 'refusal');
    return [
      textIn(candidate, 'node'),
      textIn(candidate, 'service'),
      textIn(candidate, 'outstanding'),
      refusal === '-'
        ? ({ text: 'yes', tone: 'good' } as const)
        : ({ text: `no: ${refusal}`, tone: 'faint' } as const),
    ];
  });
  return `${facts}\n\n${layOutTable(['NODE', 'SERVICE', 'REQUESTS', 'MAY GET IT'], rows, width, style)}`;
}

function outcome(body: unknown): { readonly text: string; readonly tone: Tone } {
  const of = (key: string): string => textIn(body, 'outcome', key);
  switch (of('kind')) {
    case 'relayed':
      return { text: `relayed by ${listIn(body, 'outcome', 'nodes').join(', ')}`, tone: 'good' };
    case 'redirected':
      return { text: `redirected (${of('status')}) to ${of('location')}`, tone: 'good' };
    case 'answered':
      return { text: `answered by the gateway itself with ${of('status')}`, tone: 'good' };
    case 'waits': {
      const longest = shownDuration(numberIn(body, 'outcome', 'longestMs'));
      return { text: `waits up to ${longest}, then ${of('status')} ${of('reason')}`, tone: 'doubtful' };
    }
    default:
      return { text: `refused with ${of('status')} ${of('reason')}: ${of('message')}`, tone: 'bad' };
  }
}

function route(body: unknown): string {
  const kind = textIn(body, 'route', 'kind');
  const role = textIn(body, 'route', 'role');
  const by = textIn(body, 'route', 'rule', 'by');
  const rule = by === '-' ? '' : ` (${by}: ${textIn(body, 'route', 'rule', 'matched')})`;
  const routeClass = textIn(body, 'route', 'class');
  const what = kind === 'forward' ? `class ${routeClass}` : kind;
  return `${role === '-' ? '' : `${role}, `}${what}${rule}`;
}

function tier(body: unknown): string {
  if (valueIn(body, 'tier') === null) return '';
  const rule = textIn(body, 'tier', 'rule');
  const by = textIn(body, 'tier', 'by');
  const fellBack =
    valueIn(body, 'tier', 'fellBack') === true ? '; it has no ready Broker: the default one' : '';
  const age = numberIn(body, 'tier', 'loadRulesAgeMs');
  const rules = by === 'loadRules' && age !== null ? `, read ${shownDuration(age)} ago` : '';
  return `${textIn(body, 'tier', 'service')}, by ${by}${rule === '-' ? '' : ` ${rule}`}${rules}${fellBack}`;
}

function chosen(body: unknown): string {
  const nodes = listIn(body, 'choice', 'nodes');
  const by = textIn(body, 'choice', 'by');
  return nodes.length === 0 ? '' : `${nodes.join(', ')}: ${HOW[by] ?? by}`;
}

function redirect(body: unknown): string {
  const asConfigured = textIn(body, 'redirect', 'asConfigured');
  const inRedirectMode = textIn(body, 'redirect', 'inRedirectMode');
  if (asConfigured !== '-') return asConfigured;
  return inRedirectMode === '-' ? '' : `none; in redirect mode to ${inRedirectMode}`;
}

function limits(body: unknown): string {
  if (valueIn(body, 'limits') === null) return '';
  const of = (key: string): string => textIn(body, 'limits', key);
  const large = valueIn(body, 'limits', 'large') === true ? ', counts as large' : '';
  return `${of('place')}: of its role ${of('running')} at nodes, ${of('waiting')} waiting, ${of('queued')} of them for room${large}`;
}

function evidence(body: unknown): string {
  const age = numberIn(body, 'evidence', 'discoveryAgeMs');
  const discovery = `discovery ${textIn(body, 'evidence', 'discovery')}, ${
    age === null ? 'never read' : `read ${shownDuration(age)} ago`
  }`;
  const state = textIn(body, 'evidence', 'leader', 'state');
  if (state === '-') return discovery;
  const since = shownDuration(numberIn(body, 'evidence', 'leader', 'ageMs'));
  return `leader ${state} for ${since}, known by ${textIn(body, 'evidence', 'leader', 'knownBy')}; ${discovery}`;
}
