import { BrokersTable } from './brokers.js';
import { TrafficTable } from './charts.js';
import { DISCOVERY, formatSeconds, headline, LEADERS, REFUSALS, REFUSED, roleName, WORKERS } from './rows.js';
import { byId, LiveTable, setText, setTone } from './table.js';
import { Timeline } from './timeline.js';

/** @typedef {import('./rows.js').State & { readonly traffic: import('./rows.js').Traffic }} Status */

/** States come every two seconds; after this long without one, in ms, the stream is opened anew. */
const SILENCE_MS = 10_000;
const RETRY_MS = 5_000;

const hasSection = (/** @type {string} */ id) => document.getElementById(id) !== null;
const leaders = new LiveTable('leaders-table', LEADERS.columns);
const discovery = new LiveTable('discovery-table', DISCOVERY.columns);
const workers = hasSection('workers') ? new LiveTable('workers-table', WORKERS.columns) : null;
const timeline = hasSection('terms') ? new Timeline() : null;
const refused = new LiveTable('refusals-table', REFUSED.columns);
const recent = new LiveTable('recent-table', REFUSALS.columns);
const brokers = new BrokersTable();
const traffic = new TrafficTable();

/** @type {EventSource | null} */
let source = null;
/** @type {Status | null} */
let last = null;
let heardAt = performance.now();

/** @param {Status} status */
function show(status) {
  heardAt = performance.now();
  const { text, tone } = headline(status);
  setText(byId('headline'), text);
  setTone(byId('headline'), tone);
  leaders.update(LEADERS.rows(status));
  brokers.update(status);
  traffic.update(status.traffic);
  refused.update(REFUSED.rows(status.traffic));
  recent.update(REFUSALS.rows(status.traffic));
  discovery.update(DISCOVERY.rows(status));
  workers?.update(WORKERS.rows(status));
  setText(byId('uptime'), formatSeconds(status.uptime));
  tellChanges(status);
  last = status;
}

/**
 * Says changes of leaders, for those who do not look at the tables.
 *
 * @param {Status} status
 */
function tellChanges(status) {
  if (last === null) return;
  const changes = [];
  for (const role of /** @type {const} */ (['coordinator', 'overlord'])) {
    const [before, now] = [last.leaders[role], status.leaders[role]];
    if (before.node === now.node && before.state === now.state) continue;
    changes.push(
      now.state === 'serving'
        ? `${now.node} leads as ${roleName(role)}.`
        : `No ${roleName(role)} serves${now.node === null ? '' : `; ${now.node} is elected`}.`,
    );
  }
  if (changes.length > 0) setText(byId('news'), changes.join(' '));
}

function open() {
  close();
  heardAt = performance.now();
  const opened = new EventSource('/events');
  source = opened;
  opened.addEventListener('open', () => {
    setText(byId('live'), 'Live.');
    void timeline?.read();
  });
  opened.addEventListener('status', ({ data }) => show(JSON.parse(data)));
  opened.addEventListener('term', ({ data }) => timeline?.take(JSON.parse(data)));
  opened.addEventListener('error', () => {
    setText(byId('live'), 'The connection to the gateway is lost; trying again.');
    // The browser comes back by itself unless it was refused.
    if (opened.readyState === EventSource.CLOSED) setTimeout(() => source === opened && open(), RETRY_MS);
  });
}

function close() {
  source?.close();
  source = null;
}

/** A browser has six connections to a server for all its pages: those that nobody sees give theirs back. */
function follow() {
  if (document.visibilityState === 'visible') open();
  else close();
}

setInterval(() => {
  if (source !== null && performance.now() - heardAt > SILENCE_MS) open();
}, 1_000);

byId('traffic').hidden = false;
byId('refusals').hidden = false;
document.addEventListener('visibilitychange', follow);
follow();
