// The content of the page's tables. The server renders it once, and the browser keeps it up to date.

/**
 * @typedef {import('../../status.ts').State} State
 * @typedef {import('../../status.ts').BrokerStatus} BrokerStatus
 * @typedef {import('../../../metrics/traffic-window.ts').Traffic} Traffic
 * @typedef {import('../../history/term.ts').Term} Term
 */

/**
 * @typedef {'good' | 'warn' | 'bad' | 'quiet'} Tone How a cell looks; its text says the same.
 * @typedef {{ readonly text: string, readonly tone?: Tone }} Cell
 * @typedef {{ readonly key: string, readonly cells: readonly Cell[] }} Row The key is unique within its table.
 */

/**
 * @template T
 * @typedef {{ readonly columns: readonly string[], readonly rows: (from: T) => Row[] }} Table
 */

/** Most rows of the tables that grow with time. */
const MOST_ROWS = 20;
/** @type {Readonly<Record<string, string>>} */
const SOURCES = { zookeeper: 'ZooKeeper', kubernetes: 'Kubernetes', consul: 'Consul', dns: 'DNS' };

/** @type {Table<State>} */
export const LEADERS = {
  columns: ['Role', 'State', 'Node', 'Term', 'In this state for', 'Known by', 'In flight', 'Remarks'],
  rows: ({ leaders }) =>
    /** @type {const} */ (['coordinator', 'overlord']).map((role) => {
      const leader = leaders[role];
      /** @type {Tone} */
      const tone = leader.state === 'serving' ? 'good' : leader.state === 'elected' ? 'warn' : 'bad';
      const rivals = leader.rivals.map((rival) => `${rival} says that it leads, too`);
      return {
        key: role,
        cells: [
          { text: roleName(role) },
          { text: leader.state, tone },
          { text: leader.node ?? 'nobody' },
          { text: leader.term === null ? 'unknown' : String(leader.term) },
          { text: formatSeconds(leader.age) },
          {
            text: leader.knownBy,
            ...(leader.knownBy === 'stale' ? { tone: /** @type {Tone} */ ('warn') } : {}),
          },
          { text: formatCount(leader.outstanding) },
          {
            text: [...(leader.waitReason === null ? [] : [leader.waitReason]), ...rivals].join('; '),
            tone: rivals.length > 0 ? 'bad' : 'warn',
          },
        ],
      };
    }),
};

/**
 * All announced Brokers, and those that an operator took out and that are away now: their cordon still holds.
 *
 * @param {State} state
 * @returns {BrokerStatus[]}
 */
export function allBrokers({ brokers, cordoned }) {
  const announced = new Set(brokers.map(({ node }) => node));
  const away = cordoned.filter((node) => !announced.has(node));
  const why = 'taken out by an operator, and not announced now';
  const lastMinute = { attempts: 0, errors: 0, p50Ms: null, p99Ms: null };
  const counts = { share: 1, outstanding: 0, lastMinute };
  const plain = { service: '', ready: false, cordoned: true, ejected: false, why, ...counts };
  return [...brokers, ...away.map((node) => ({ node, ...plain }))];
}

/** @type {Table<readonly BrokerStatus[]>} */
export const BROKERS = {
  columns: ['Broker', 'State', 'Why', 'Service', 'In flight', 'p50', 'p99', 'Errors', 'Share'],
  rows: (brokers) =>
    brokers.toSorted(byTroubleAndName).map((broker) => ({
      key: broker.node,
      cells: [
        { text: broker.node },
        brokerState(broker),
        { text: broker.why },
        { text: withLabels(broker.service, broker.labels) },
        { text: formatCount(broker.outstanding) },
        ...lastMinute(broker.lastMinute),
        { text: `${Math.round(broker.share * 100)}%` },
      ],
    })),
};

/** @type {Table<State>} */
export const DISCOVERY = {
  columns: ['Source', 'State', 'Since', 'Last read', 'Remarks'],
  rows: ({ discovery }) => [
    {
      key: discovery.kind,
      cells: [
        { text: SOURCES[discovery.kind] ?? discovery.kind },
        { text: discovery.state, tone: discovery.state === 'connected' ? 'good' : 'warn' },
        { text: formatTime(discovery.since) },
        { text: discovery.age === null ? 'never' : `${formatSeconds(discovery.age)} ago` },
        { text: discovery.detail ?? '' },
      ],
    },
  ],
};

/** @type {Table<State>} */
export const WORKERS = {
  columns: ['Worker', 'State', 'Process', 'Up for', 'In flight', 'Replaced', 'Last exit'],
  rows: ({ workers = [] }) =>
    workers.map(({ worker, state, pid, uptime, inFlight, restarts, lastExit }) => ({
      key: String(worker),
      cells: [
        { text: String(worker) },
        { text: state, tone: state === 'serving' ? 'good' : 'warn' },
        { text: pid === null ? 'none' : String(pid) },
        { text: formatSeconds(uptime) },
        { text: formatCount(inFlight) },
        { text: formatCount(restarts) },
        { text: lastExit === undefined ? '' : `${lastExit.reason} at ${formatTime(lastExit.when)}` },
      ],
    })),
};

/** @type {Table<readonly Term[]>} */
export const TERMS = {
  columns: ['From', 'Role', 'Leader', 'Gap before', 'Waited', 'Failed', 'Term', 'Known by'],
  rows: (terms) => {
    /** @type {Map<string, string>} The leader so far, by role. */
    const leaders = new Map();
    const rows = terms.map((term) => {
      const before = leaders.get(term.role);
      leaders.set(term.role, term.node);
      return {
        key: termKey(term),
        cells: [
          { text: formatTime(term.from) },
          { text: roleName(term.role) },
          { text: before === undefined ? term.node : `${before} to ${term.node}` },
          { text: term.gapMs === null ? 'unknown' : formatMs(term.gapMs) },
          { text: formatCount(term.waited) },
          {
            text: formatCount(term.failed),
            ...(term.failed > 0 ? { tone: /** @type {Tone} */ ('bad') } : {}),
          },
          { text: term.term === null ? 'unknown' : String(term.term) },
          { text: term.knownBy },
        ],
      };
    });
    return rows.slice(-MOST_ROWS).toReversed();
  },
};

/** @type {Table<Traffic>} */
export const TRAFFIC = {
  columns: ['Class', 'Rate', 'p50', 'p99', 'Errors'],
  rows: ({ classes }) =>
    Object.keys(classes)
      .toSorted()
      .flatMap((name) => {
        const traffic = classes[name];
        if (traffic === undefined) return [];
        return [
          {
            key: name,
            cells: [
              { text: name },
              { text: `${formatRate(traffic.rate)}/s` },
              { text: traffic.p50Ms === null ? 'none' : formatMs(traffic.p50Ms) },
              { text: traffic.p99Ms === null ? 'none' : formatMs(traffic.p99Ms) },
              {
                text: formatShare(traffic.errors),
                tone: traffic.errors > 0 ? /** @type {Tone} */ ('bad') : 'quiet',
              },
            ],
          },
        ];
      }),
};

/** @type {Table<Traffic>} */
export const REFUSALS = {
  columns: ['Seen', 'Reason', 'Class', 'Status', 'Requests'],
  rows: ({ refusals }) =>
    refusals.slice(0, MOST_ROWS).map(({ at, reason, class: kind, status, count }) => ({
      key: `${at} ${reason} ${kind}`,
      cells: [
        { text: formatTime(at) },
        { text: reason },
        { text: kind },
        { text: String(status) },
        { text: formatCount(count) },
      ],
    })),
};

/** @type {Table<Traffic>} */
export const REFUSED = {
  columns: ['Reason', 'Requests since the start'],
  rows: ({ refused }) =>
    Object.entries(refused)
      .toSorted(([, a], [, b]) => b - a)
      .map(([reason, count]) => ({ key: reason, cells: [{ text: reason }, { text: formatCount(count) }] })),
};

/**
 * Says the state in one sentence.
 *
 * @param {State} state
 * @returns {Cell}
 */
export function headline({ draining, leaders, brokers }) {
  const ready = brokers.filter((broker) => broker.ready).length;
  const missing = /** @type {const} */ (['coordinator', 'overlord']).filter(
    (role) => leaders[role].state !== 'serving',
  );
  const masters =
    missing.length === 0 ? 'Both leaders serve' : `No ${missing.map(roleName).join(' and no ')} serves`;
  const text = `${masters}, ${formatCount(ready)} of ${formatCount(brokers.length)} Brokers are ready.`;
  if (draining) return { text: `This gateway is shutting down. ${text}`, tone: 'warn' };
  const isWell = missing.length === 0 && ready > 0;
  return { text, tone: isWell ? (ready === brokers.length ? 'good' : 'warn') : 'bad' };
}

/**
 * Names a term, which has a later end but the same name while it goes on.
 *
 * @param {Term} term
 */
export function termKey({ role, from }) {
  return `${role} ${from}`;
}

/** @param {'coordinator' | 'overlord'} role */
export function roleName(role) {
  return role === 'coordinator' ? 'Coordinator' : 'Overlord';
}

/**
 * Formats a duration in seconds by its two largest units.
 *
 * @param {number} seconds
 */
export function formatSeconds(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.floor(seconds)} s`;
  const whole = Math.floor(seconds);
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
  return `${formatCount(Math.floor(whole / 86_400))} d ${Math.floor((whole % 86_400) / 3_600)} h`;
}

/** @param {number} ms */
export function formatMs(ms) {
  if (ms < 1_000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return formatSeconds(ms / 1_000);
}

/**
 * Formats an ISO time in UTC, to the second.
 *
 * @param {string} iso
 */
export function formatTime(iso) {
  const time = new Date(iso);
  return Number.isNaN(time.valueOf()) ? iso : time.toISOString().slice(0, 19).replace('T', ' ');
}

/** @param {number} count */
export function formatCount(count) {
  return count.toLocaleString('en');
}

/** @param {number} rate */
export function formatRate(rate) {
  return rate < 10 ? rate.toFixed(1) : formatCount(Math.round(rate));
}

/**
 * Formats a share of 0 to 1 in percent; a small one is not none.
 *
 * @param {number} share
 */
export function formatShare(share) {
  return share > 0 && share < 0.001 ? 'below 0.1%' : `${(share * 100).toFixed(1)}%`;
}

/**
 * Brokers that nobody took out and that get no queries come first.
 *
 * @param {BrokerStatus} a
 * @param {BrokerStatus} b
 */
function byTroubleAndName(a, b) {
  const [troubleA, troubleB] = [inTrouble(a), inTrouble(b)];
  if (troubleA !== troubleB) return troubleA ? -1 : 1;
  return a.node < b.node ? -1 : a.node > b.node ? 1 : 0;
}

/** @param {BrokerStatus} broker */
export function inTrouble({ ready, cordoned }) {
  return !ready && !cordoned;
}

/**
 * @param {BrokerStatus} broker
 * @returns {Cell}
 */
function brokerState({ ready, cordoned, ejected, outstanding }) {
  if (cordoned) return { text: outstanding > 0 ? 'draining' : 'drained', tone: 'warn' };
  if (ejected) return { text: 'ejected', tone: 'bad' };
  return ready ? { text: 'ready', tone: 'good' } : { text: 'not ready', tone: 'bad' };
}

/**
 * The latency and the errors of the last minute.
 *
 * @param {BrokerStatus['lastMinute']} traffic
 * @returns {Cell[]}
 */
function lastMinute({ attempts, errors, p50Ms, p99Ms }) {
  return [
    { text: p50Ms === null ? 'none' : formatMs(p50Ms) },
    { text: p99Ms === null ? 'none' : formatMs(p99Ms) },
    {
      text: attempts === 0 && errors === 0 ? 'none' : `${formatCount(errors)} of ${formatCount(attempts)}`,
      tone: errors > 0 ? 'bad' : 'quiet',
    },
  ];
}

/**
 * @param {string} service
 * @param {Readonly<Record<string, string>>} labels
 */
function withLabels(service, labels = {}) {
  const texts = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return texts.length === 0 ? service : `${service} (${texts.join(', ')})`;
}
