import { byId } from './table.js';

/** @typedef {'cordon' | 'drain' | 'return'} Action */

/** How long the gateway waits for a drain before it answers; afterwards the table shows how far it is. */
const DRAIN_TIMEOUT = '1s';

/** @type {Readonly<Record<Action, { readonly verb: string, readonly text: string, readonly done: string }>>} */
const ACTIONS = {
  cordon: {
    verb: 'Cordon',
    text: 'It gets no new queries. The ones it has go on.',
    done: 'gets no new queries',
  },
  drain: {
    verb: 'Drain',
    text: 'It gets no new queries. Its state is "drained" once those it has are over.',
    done: 'gets no new queries',
  },
  return: { verb: 'Return', text: 'It gets queries again.', done: 'gets queries again' },
};

const needsToken = document.documentElement.dataset.token === 'needed';
/** Kept in memory only. */
let token = '';
/** Resolves when nothing is asked: a dialog reports that it was closed a moment after it was. */
let asked = Promise.resolve(false);

/** Whether this browser says where a request comes from; without that the gateway refuses actions of pages. */
export const canAct = window.isSecureContext;

/** @param {Action} action */
export function verbOf(action) {
  return ACTIONS[action].verb;
}

/**
 * Asks whether to act on a Broker, acts, and says what became of it.
 *
 * @param {Action} action
 * @param {string} broker
 * @param {(result: string) => void} say
 */
export async function act(action, broker, say) {
  const { verb, text, done } = ACTIONS[action];
  asked = asked.then(() => ask(`${verb} ${broker}?`, text, verb));
  if (!(await asked)) return;
  say(`${verb} ${broker}: asking.`);
  const query = action === 'drain' ? `?timeout=${DRAIN_TIMEOUT}` : '';
  try {
    const response = await fetch(`/brokers/${encodeURIComponent(broker)}/${action}${query}`, {
      method: 'POST',
      headers: token === '' ? {} : { authorization: `Bearer ${token}` },
    });
    if (response.status === 401) token = '';
    say(response.ok ? `${broker} ${done}.` : `${verb} ${broker} failed: ${await errorOf(response)}`);
  } catch {
    say(`${verb} ${broker} failed: the gateway cannot be reached.`);
  }
}

/** @param {Response} response */
async function errorOf(response) {
  /** @type {unknown} */
  const body = await response.json().catch(() => null);
  if (typeof body === 'object' && body !== null) {
    if ('errorMessage' in body) return String(body.errorMessage);
    if ('error' in body) return String(body.error);
  }
  return `status ${response.status}`;
}

/**
 * Resolves to whether the person wants it. Asks for the token, too, where one is needed and not known.
 *
 * @param {string} title
 * @param {string} text
 * @param {string} verb
 * @returns {Promise<boolean>}
 */
function ask(title, text, verb) {
  const dialog = byId('ask');
  const input = byId('ask-token').querySelector('input');
  if (!(dialog instanceof HTMLDialogElement) || input === null) throw new Error('the page has no dialog');
  byId('ask-title').textContent = title;
  byId('ask-text').textContent = text;
  byId('ask-yes').textContent = verb;
  const asksToken = needsToken && token === '';
  byId('ask-token').hidden = !asksToken;
  input.required = asksToken;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      'close',
      () => {
        const wanted = dialog.returnValue === 'yes';
        if (asksToken && wanted) token = input.value.trim();
        input.value = '';
        resolve(wanted);
      },
      { once: true },
    );
  });
}
