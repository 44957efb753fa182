/**
 * @typedef {import('./rows.js').Row} Row
 * @typedef {import('./rows.js').Cell} Cell
 */

/**
 * Returns the element of an id. Throws an Error if the page has none.
 *
 * @param {string} id
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

/**
 * Sets the text in front of whatever else an element holds. Text of others goes in as text, never as HTML.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  const { firstChild } = element;
  if (!(firstChild instanceof Text)) element.prepend(text);
  else if (firstChild.data !== text) firstChild.data = text;
}

/**
 * @param {Element} element
 * @param {Cell['tone']} tone
 */
export function setTone(element, tone) {
  if (tone === undefined) element.removeAttribute('data-tone');
  else if (element.getAttribute('data-tone') !== tone) element.setAttribute('data-tone', tone);
}

/** Keeps the body of a table equal to rows, and touches only what differs. */
export class LiveTable {
  /** @type {HTMLTableSectionElement} */
  #body;
  /** @type {readonly string[]} */
  #columns;
  /** @type {(row: HTMLTableRowElement, key: string) => void} */
  #onNewRow;
  /** @type {Map<string, HTMLTableRowElement>} */
  #rows = new Map();

  /**
   * Takes over the rows that the server rendered.
   *
   * @param {string} id of the table
   * @param {readonly string[]} columns
   * @param {(row: HTMLTableRowElement, key: string) => void} onNewRow adds what a row has besides its cells
   */
  constructor(id, columns, onNewRow = () => {}) {
    const body = byId(id).querySelector('tbody');
    if (body === null) throw new Error(`#${id} has no body`);
    this.#body = body;
    this.#columns = columns;
    this.#onNewRow = onNewRow;
    for (const row of body.rows) {
      const key = row.dataset.key ?? '';
      this.#rows.set(key, row);
      onNewRow(row, key);
    }
  }

  /** @param {readonly Row[]} rows */
  update(rows) {
    const focused = document.activeElement;
    const kept = new Set(rows.map(({ key }) => key));
    for (const [key, element] of this.#rows) {
      if (kept.has(key)) continue;
      element.remove();
      this.#rows.delete(key);
    }
    let place = this.#body.firstElementChild;
    for (const { key, cells } of rows) {
      const element = this.#rows.get(key) ?? this.#newRow(key);
      if (element === place) place = element.nextElementSibling;
      else this.#body.insertBefore(element, place);
      this.#fill(element, cells);
    }
    // A row that moved took its focus away.
    if (focused instanceof HTMLElement && focused !== document.activeElement && focused.isConnected) {
      focused.focus();
    }
  }

  /** @param {string} key */
  #newRow(key) {
    const element = document.createElement('tr');
    element.setAttribute('role', 'row');
    element.dataset.key = key;
    for (const [i, column] of this.#columns.entries()) {
      const cell = document.createElement(i === 0 ? 'th' : 'td');
      cell.setAttribute('role', i === 0 ? 'rowheader' : 'cell');
      if (i === 0) cell.setAttribute('scope', 'row');
      cell.dataset.column = column;
      element.append(cell);
    }
    this.#rows.set(key, element);
    this.#onNewRow(element, key);
    return element;
  }

  /**
   * @param {HTMLTableRowElement} element
   * @param {readonly Cell[]} cells
   */
  #fill(element, cells) {
    for (const [i, { text, tone }] of cells.entries()) {
      const cell = element.cells[i];
      if (cell === undefined) continue;
      setText(cell, text);
      setTone(cell, tone);
    }
  }
}
