import type { ShownSetting } from '../../config/shown-settings.ts';
import type { Term } from '../history/term.ts';
import type { State } from '../status.ts';
import {
  allBrokers,
  BROKERS,
  DISCOVERY,
  headline,
  LEADERS,
  REFUSALS,
  REFUSED,
  TERMS,
  TRAFFIC,
  WORKERS,
} from './assets/rows.js';
import { type Html, html } from './html.ts';

export interface PageContent {
  readonly state: State;
  /** Oldest first; null if no record of leadership is kept. */
  readonly terms: readonly Term[] | null;
  readonly settings: readonly ShownSetting[];
  /** Whether actions need a token. */
  readonly needsToken: boolean;
}

/** The content of a table as `assets/rows.js` makes it. */
interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly {
    readonly key: string;
    readonly cells: readonly { readonly text: string; readonly tone?: string }[];
  }[];
}

const NOTHING = { classes: {}, refusals: [], refused: {} };

/**
 * Renders the page with the present state in it. Without JavaScript it is a status that loads itself anew; with it,
 * `assets/app.js` keeps the tables up to date and shows what needs it.
 */
export function renderPage({ state, terms, settings, needsToken }: PageContent): string {
  const { text, tone = 'quiet' } = headline(state);
  return html`<!doctype html>
<html lang="en" data-token="${needsToken ? 'needed' : 'none'}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>druid-gateway</title>
<link rel="icon" href="/dashboard/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/dashboard/style.css">
<script type="module" src="/dashboard/app.js"></script>
<noscript><meta http-equiv="refresh" content="5"></noscript>
</head>
<body>
<a class="skip" href="#leaders">Skip to the leaders</a>
<header>
<h1>druid-gateway <small>${state.version}</small></h1>
<p id="live" role="status">Without JavaScript this page loads itself anew every 5 seconds.</p>
</header>
<main>
<p id="headline" class="headline" data-tone="${tone}">${text}</p>
<p id="news" role="status" aria-live="polite"></p>
${section('leaders', 'Leaders', table('leaders', LEADERS, LEADERS.rows(state)))}
${terms === null ? html`` : section('terms', 'Timeline of leadership', termsPart(terms))}
${section('brokers', 'Brokers', brokersPart(state))}
${section('traffic', 'Requests of the last 10 seconds', table('traffic', TRAFFIC, TRAFFIC.rows(NOTHING)), true)}
${section('refusals', "The gateway's own refusals", refusalsPart(), true)}
${section('discovery', 'Discovery', table('discovery', DISCOVERY, DISCOVERY.rows(state)))}
${state.workers === undefined ? html`` : section('workers', 'Workers', table('workers', WORKERS, WORKERS.rows(state)))}
${section('settings', 'Configuration', settingsPart(settings))}
</main>
<footer><p>All times are in UTC. Up for <span id="uptime">${Math.floor(state.uptime)} s</span>.</p></footer>
<dialog id="ask" aria-labelledby="ask-title">
<form method="dialog">
<h2 id="ask-title"></h2>
<p id="ask-text"></p>
<p id="ask-token"><label>Token of <code>admin.tokenFile</code> <input type="password" autocomplete="off" spellcheck="false"></label></p>
<p class="buttons"><button value="no" formnovalidate>Cancel</button> <button id="ask-yes" value="yes"></button></p>
</form>
</dialog>
</body>
</html>
`.text;
}

/** `needsScript`: shown by JavaScript, which fills it. */
function section(id: string, title: string, content: Html, needsScript = false): Html {
  return html`<section id="${id}" aria-labelledby="${id}-title"${needsScript ? html` hidden` : html``}>
<h2 id="${id}-title">${title}</h2>
${content}
</section>`;
}

/** Roles are said, since on small screens the cells are no table to CSS. */
function table(id: string, { columns }: Pick<Table, 'columns'>, rows: Table['rows']): Html {
  const head = columns.map((name) => html`<th scope="col" role="columnheader">${name}</th>`);
  const body = rows.map(
    ({ key, cells }) =>
      html`<tr role="row" data-key="${key}">${cells.map((cell, i) => cellOf(cell, columns[i] ?? '', i))}</tr>`,
  );
  return html`<table id="${id}-table" role="table" aria-labelledby="${id}-title">
<thead role="rowgroup"><tr role="row">${head}</tr></thead>
<tbody role="rowgroup">${body}</tbody>
</table>`;
}

function cellOf({ text, tone }: Table['rows'][number]['cells'][number], column: string, i: number): Html {
  const toned = tone === undefined ? html`` : html` data-tone="${tone}"`;
  return i === 0
    ? html`<th scope="row" role="rowheader" data-column="${column}"${toned}>${text}</th>`
    : html`<td role="cell" data-column="${column}"${toned}>${text}</td>`;
}

function termsPart(terms: readonly Term[]): Html {
  return html`<div id="terms-bars" aria-hidden="true"></div>
${table('terms', TERMS, TERMS.rows(terms))}
<p>The whole record is at <a href="/history">/history</a>.</p>`;
}

function brokersPart(state: State): Html {
  return html`<p id="brokers-tools" hidden>
<label>Filter <input id="brokers-filter" type="search" autocomplete="off" spellcheck="false"></label>
<label><input id="brokers-trouble" type="checkbox"> Only those without new queries</label>
</p>
<p>p50, p99 and errors are those of the last minute; latency is the time until the head of an answer.</p>
<p id="brokers-result" role="status"></p>
${table('brokers', BROKERS, BROKERS.rows(allBrokers(state)))}
<p id="brokers-more" hidden><span></span> <button type="button">Show all</button></p>`;
}

function refusalsPart(): Html {
  return html`${table('refusals', REFUSED, [])}
<h3 id="recent-title">Latest, while this page is open</h3>
${table('recent', REFUSALS, REFUSALS.rows(NOTHING))}`;
}

function settingsPart(settings: readonly ShownSetting[]): Html {
  const given = settings.filter(({ origin }) => origin !== 'default');
  const columns = ['Key', 'Value', 'Origin'];
  const rows = [...given, ...settings.filter(({ origin }) => origin === 'default')].map(
    ({ key, value, origin }) => ({ key, cells: [{ text: key }, { text: value }, { text: origin }] }),
  );
  return html`<details><summary>${given.length} settings are given, ${settings.length - given.length} are defaults</summary>
${table('settings', { columns }, rows)}
</details>`;
}
