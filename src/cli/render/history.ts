import type { Screen } from '../output/screen.ts';
import { type Cell, layOutTable } from '../output/table.ts';
import { listIn, numberIn, shownDuration, textIn } from '../output/values.ts';

/** Renders the body of `GET /history`. `now` is in epoch milliseconds. */
export function renderHistory(body: unknown, screen: Pick<Screen, 'style' | 'width'>, now: number): string {
  const { style, width } = screen;
  const terms = listIn(body, 'terms');
  if (terms.length === 0) return `nobody has led since ${shownTime(textIn(body, 'since'))}`;
  return layOutTable(
    ['FROM (UTC)', 'ROLE', 'NODE', 'TERM', 'FOR', 'GAP', 'WAITED'],
    terms.map((term) => row(term, now)),
    width,
    style,
  );
}

function row(term: unknown, now: number): readonly Cell[] {
  const from = textIn(term, 'from');
  const to = textIn(term, 'to');
  const lasted = shownDuration(timeOf(to === '-' ? now : Date.parse(to), Date.parse(from)));
  const waited = textIn(term, 'waited');
  const failed = numberIn(term, 'failed') ?? 0;
  return [
    shownTime(from),
    textIn(term, 'role'),
    textIn(term, 'node'),
    textIn(term, 'term'),
    { text: lasted, tone: to === '-' ? 'good' : 'plain' },
    shownDuration(numberIn(term, 'gapMs')),
    failed === 0 ? waited : { text: `${waited}, ${failed} failed`, tone: 'bad' },
  ];
}

function timeOf(end: number, begin: number): number | null {
  const time = end - begin;
  return Number.isNaN(time) ? null : Math.max(0, time);
}

/** `2026-11-26 10:00:00` of an ISO time. */
function shownTime(iso: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(iso) ? iso.slice(0, 19).replace('T', ' ') : iso;
}
