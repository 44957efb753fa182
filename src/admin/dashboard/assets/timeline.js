import { formatTime, roleName, TERMS, termKey } from './rows.js';
import { byId, LiveTable } from './table.js';

/** @typedef {import('./rows.js').Term} Term */

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 1_000;
/** As many as the gateway keeps of each role. */
const MOST_TERMS = 1_000;
/** When the record is read again after a term has begun, in ms: those who waited for it are counted as they end. */
const RECOUNT_MS = 3_000;
/** The bars show this much, in ms. */
const SPAN_MS = 3_600_000;
/** Interval for drawing the bars anew, in ms, since an hour moves on. */
const BARS_MS = 30_000;

/** The timeline of leadership: a bar for each role, and a table. */
export class Timeline {
  /** @type {Map<string, Term>} Oldest first. */
  #terms = new Map();
  #table = new LiveTable('terms-table', TERMS.columns);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #recounting;

  constructor() {
    setInterval(() => this.#renderBars(), BARS_MS);
  }

  /** Reads the whole record. A page that misses it shows what it has. */
  async read() {
    /** @type {{ terms: Term[] } | null} */
    const record = await fetch('/history')
      .then((response) => (response.ok ? response.json() : null))
      .catch(() => null);
    if (record === null) return;
    this.#terms = new Map(record.terms.map((term) => [termKey(term), term]));
    this.#render();
  }

  /**
   * Takes a term that begins or ends.
   *
   * @param {Term} term
   */
  take(term) {
    this.#terms.set(termKey(term), term);
    const [oldest] = this.#terms.keys();
    if (this.#terms.size > MOST_TERMS && oldest !== undefined) this.#terms.delete(oldest);
    this.#render();
    clearTimeout(this.#recounting);
    this.#recounting = setTimeout(() => void this.read(), RECOUNT_MS);
  }

  #render() {
    this.#table.update(TERMS.rows([...this.#terms.values()]));
    this.#renderBars();
  }

  #renderBars() {
    const terms = [...this.#terms.values()];
    const now = Date.now();
    byId('terms-bars').replaceChildren(
      .../** @type {const} */ (['coordinator', 'overlord']).flatMap((role) => [
        label(roleName(role)),
        bar(
          terms.filter((term) => term.role === role),
          now,
        ),
      ]),
    );
  }
}

/** @param {string} text */
function label(text) {
  const element = document.createElement('span');
  element.textContent = `${text}, last hour`;
  return element;
}

/**
 * Draws terms as parts of the last hour, in turn in one of two colours; what is between them had no leader.
 *
 * @param {readonly Term[]} terms
 * @param {number} now
 */
function bar(terms, now) {
  const chart = document.createElementNS(SVG, 'svg');
  chart.setAttribute('class', 'bar');
  chart.setAttribute('viewBox', `0 0 ${WIDTH} 20`);
  chart.setAttribute('preserveAspectRatio', 'none');
  /** @param {string} iso */
  const place = (iso) => Math.max(0, WIDTH * (1 - (now - Date.parse(iso)) / SPAN_MS));
  for (const [i, { node, from, to }] of terms.entries()) {
    const [left, right] = [place(from), to === null ? WIDTH : place(to)];
    if (right <= 0) continue;
    const part = document.createElementNS(SVG, 'rect');
    part.setAttribute('class', i % 2 === 0 ? 'even' : 'odd');
    part.setAttribute('x', left.toFixed(2));
    part.setAttribute('width', Math.max(1, right - left).toFixed(2));
    part.setAttribute('height', '20');
    const title = document.createElementNS(SVG, 'title');
    title.textContent = `${node} from ${formatTime(from)}`;
    part.append(title);
    chart.append(part);
  }
  return chart;
}
