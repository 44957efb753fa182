import { act, canAct, verbOf } from './actions.js';
import { allBrokers, BROKERS, formatCount, inTrouble } from './rows.js';
import { byId, LiveTable, setText } from './table.js';

/** @typedef {import('./rows.js').State} State */

/** Most rows until all are asked for. */
const MOST_ROWS = 100;

/** The table of Brokers, with a filter and buttons. */
export class BrokersTable {
  #table;
  /** @type {State | null} */
  #state = null;
  #showsAll = false;
  #filter = /** @type {HTMLInputElement} */ (byId('brokers-filter'));
  #trouble = /** @type {HTMLInputElement} */ (byId('brokers-trouble'));

  constructor() {
    if (canAct) addColumn();
    else setText(byId('brokers-result'), 'Actions need https, or a page that is opened on the same machine.');
    this.#table = new LiveTable('brokers-table', BROKERS.columns, (row, broker) => {
      if (canAct) row.append(buttons(broker));
    });
    byId('brokers-tools').hidden = false;
    this.#filter.addEventListener('input', () => this.#render());
    this.#trouble.addEventListener('input', () => this.#render());
    byId('brokers-more')
      .querySelector('button')
      ?.addEventListener('click', () => {
        this.#showsAll = true;
        this.#render();
      });
  }

  /** @param {State} state */
  update(state) {
    this.#state = state;
    this.#render();
  }

  #render() {
    if (this.#state === null) return;
    const text = this.#filter.value.trim().toLowerCase();
    const brokers = allBrokers(this.#state).filter(
      (broker) =>
        (!this.#trouble.checked || inTrouble(broker)) &&
        (text === '' || `${broker.node} ${broker.service} ${broker.why}`.toLowerCase().includes(text)),
    );
    const rows = BROKERS.rows(brokers);
    const shown = this.#showsAll ? rows : rows.slice(0, MOST_ROWS);
    this.#table.update(shown);
    const more = byId('brokers-more');
    more.hidden = shown.length === rows.length;
    const label = more.querySelector('span');
    if (label !== null)
      setText(label, `${formatCount(shown.length)} of ${formatCount(rows.length)} are shown.`);
  }
}

function addColumn() {
  const head = document.createElement('th');
  head.setAttribute('scope', 'col');
  head.setAttribute('role', 'columnheader');
  head.textContent = 'Actions';
  byId('brokers-table').querySelector('thead tr')?.append(head);
}

/** @param {string} broker */
function buttons(broker) {
  const cell = document.createElement('td');
  cell.setAttribute('role', 'cell');
  cell.className = 'actions';
  for (const action of /** @type {const} */ (['cordon', 'drain', 'return'])) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = verbOf(action);
    button.setAttribute('aria-label', `${verbOf(action)} ${broker}`);
    button.addEventListener('click', () => {
      void act(action, broker, (result) => setText(byId('brokers-result'), result));
    });
    cell.append(button);
  }
  return cell;
}
