import { TRAFFIC } from './rows.js';
import { LiveTable } from './table.js';

/** @typedef {import('./rows.js').Traffic} Traffic */

const SVG = 'http://www.w3.org/2000/svg';
/** Two minutes of events. */
const MOST_POINTS = 60;
const [WIDTH, HEIGHT] = [150, 28];

/** The values that have a chart, by their column. */
const CHARTS = /** @type {const} */ ([
  ['rate', 1],
  ['p50Ms', 2],
  ['p99Ms', 3],
]);

/** The table of traffic, with a small chart of the last two minutes in its cells. */
export class TrafficTable {
  /** @type {Map<string, (number | null)[]>} Values by class and name, the latest last. */
  #values = new Map();
  /** @type {Map<string, SVGPolylineElement>} */
  #lines = new Map();
  #table = new LiveTable('traffic-table', TRAFFIC.columns, (row, key) => {
    for (const [name, column] of CHARTS) {
      const { chart, line } = createChart();
      row.cells[column]?.append(chart);
      this.#lines.set(`${key} ${name}`, line);
    }
  });

  /** @param {Traffic} traffic */
  update(traffic) {
    this.#table.update(TRAFFIC.rows(traffic));
    for (const [key, values] of Object.entries(traffic.classes)) {
      for (const [name] of CHARTS) this.#add(`${key} ${name}`, values[name]);
    }
  }

  /**
   * @param {string} key
   * @param {number | null} value
   */
  #add(key, value) {
    const values = this.#values.get(key) ?? [];
    values.push(value);
    if (values.length > MOST_POINTS) values.shift();
    this.#values.set(key, values);
    this.#lines.get(key)?.setAttribute('points', pointsOf(values));
  }
}

function createChart() {
  const chart = document.createElementNS(SVG, 'svg');
  chart.setAttribute('class', 'chart');
  chart.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
  chart.setAttribute('preserveAspectRatio', 'none');
  // The cell's text says the value.
  chart.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS(SVG, 'polyline');
  chart.append(line);
  return { chart, line };
}

/**
 * Scales values to a chart from zero to the largest one; a value that is missing is drawn as zero.
 *
 * @param {readonly (number | null)[]} values
 */
function pointsOf(values) {
  const largest = Math.max(...values.map((value) => value ?? 0), Number.MIN_VALUE);
  const first = MOST_POINTS - values.length;
  return values
    .map((value, i) => {
      const x = ((first + i) / (MOST_POINTS - 1)) * WIDTH;
      const y = HEIGHT - 2 - ((value ?? 0) / largest) * (HEIGHT - 4);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    })
    .join(' ');
}
