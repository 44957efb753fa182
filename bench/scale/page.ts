import { digits, markdownTable } from '../markdown.ts';
import { median } from '../stats.ts';
import {
  BROKER_PROBES_PER_SECOND,
  type Coefficients,
  churnTraffic,
  coefficients,
  heapOfServer,
  idleTraffic,
  LEADER_PROBES_PER_SECOND,
  leaderLastMs,
  leaderLastMsShared,
  leaderTraffic,
  mostBrokers,
  mostGateways,
  type Size,
  serverCpuUs,
  sizeOf,
  startTraffic,
  type Traffic,
  WATCHES,
} from './model.ts';
import type { LeaderChange, Point, ScaleResults, Step } from './results.ts';

/** `jute.maxbuffer` where nobody sets it (`0xfffff`). */
const MAX_BUFFER = 0xfffff;
const MB = 1e6;
const SIZES: readonly (readonly [servers: number, gateways: number, brokers: number])[] = [
  [3, 1_000, 1_000],
  [3, 1_000, 5_000],
  [3, 10_000, 1_000],
  [3, 10_000, 5_000],
  [5, 10_000, 5_000],
];
const RATES = [1, 10, 100];
const SPREADS = [0, 1_000];

const M = 'measured';
const C = 'calculated';

/** The tables of docs/scale.md, headings at the third level. Every column says whether it was measured or calculated. */
export function renderScale(results: ScaleResults): string {
  const known = coefficients(results);
  return [
    ['Who knows when: a leader changes', leaderTable(results, known)],
    ['What a change of the leader moves, for each gateway', leaderCost(results)],
    ['Puts the read off at random: is it of use?', spreadTable(results)],
    ['Brokers come and go', churnTable(results, known)],
    ['Memory and watches', memoryTable(results)],
    ['One gateway, many Brokers', oneTable(results)],
    ['What the model takes from these', knownTable(known)],
    ['Beyond what two cores carry', beyondTable(results, known)],
    ['Brokers come and go, beyond', beyondChurn(results, known)],
    ['Where and when', where(results)],
  ]
    .map(([title, text]) => `### ${title}\n\n${text}`)
    .join('\n\n');
}

const count = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 });
const name = ({ servers, gateways, brokers }: Size | Point): string =>
  `${servers} server${servers === 1 ? '' : 's'}, ${count(gateways)} gateways, ${count(brokers)} Brokers`;
const middle = (changes: readonly LeaderChange[], of: (change: LeaderChange) => number): number =>
  median(changes.map(of));
const cores = (us: number, seconds: number): string => digits(us / seconds / 1e6);

function leaderTable(results: ScaleResults, known: Coefficients): string {
  return markdownTable([
    ['', `median, ms (${M})`, `p99 (${M})`, `last gateway (${M})`, `last gateway on the same cores (${C})`],
    ...results.points.map((point) => [
      name(point),
      digits(middle(point.leader, (one) => one.median)),
      digits(middle(point.leader, (one) => one.p99)),
      digits(middle(point.leader, (one) => one.last)),
      digits(leaderLastMsShared(sizeOf(point, results), known, results.machine.cores)),
    ]),
  ]);
}

function leaderCost(results: ScaleResults): string {
  return markdownTable([
    [
      '',
      `requests (${M})`,
      `(${C})`,
      `bytes from ZooKeeper (${M})`,
      `(${C})`,
      `to it (${M})`,
      `(${C})`,
      `CPU of ZooKeeper, µs (${M})`,
      `of the gateway, µs (${M})`,
    ],
    ...results.points.map((point) => {
      const { gateways, leader } = point;
      const each = leaderTraffic({ ...sizeOf(point, results), gateways: 1 });
      const one = (of: (change: LeaderChange) => number): string => digits(middle(leader, of) / gateways);
      return [
        name(point),
        one(({ received }) => received),
        digits(each.requests),
        one(({ bytesIn }) => bytesIn),
        digits(each.bytesIn),
        one(({ bytesOut }) => bytesOut),
        digits(each.bytesOut),
        one(({ serverCpuUs: us }) => us),
        one(({ clientCpuUs: us }) => us),
      ];
    }),
  ]);
}

function spreadTable({ spreads }: ScaleResults): string {
  return markdownTable([
    ['each gateway waits up to', `gateways`, `median, ms (${M})`, `p99 (${M})`, `last (${M})`],
    ...spreads.map(({ spreadMs, gateways, leader }) => [
      `${count(spreadMs)} ms`,
      count(gateways),
      digits(middle(leader, (one) => one.median)),
      digits(middle(leader, (one) => one.p99)),
      digits(middle(leader, (one) => one.last)),
    ]),
  ]);
}

function churnTable(results: ScaleResults, known: Coefficients): string {
  const rate = (value: number, { seconds }: Step): string => digits(value / seconds);
  return markdownTable([
    [
      '',
      'changes a second',
      `requests a second (${M})`,
      `(${C})`,
      `MB/s to gateways (${M})`,
      `(${C})`,
      `cores of ZooKeeper (${M})`,
      `(${C})`,
      `cores of all gateways (${M})`,
      `until the last gateway knows, ms (${M})`,
    ],
    ...results.points.flatMap((point) =>
      point.churn.map((churn) => {
        const traffic = churnTraffic(sizeOf(point, results), churn.changes / churn.seconds);
        return [
          name(point),
          count(churn.perSecond),
          rate(churn.received, churn),
          digits(traffic.requests),
          rate(churn.bytesIn / MB, churn),
          digits(traffic.bytesIn / MB),
          cores(churn.serverCpuUs, churn.seconds),
          cores(serverCpuUs(traffic, known), 1),
          cores(churn.clientCpuUs, churn.seconds),
          digits(churn.lag),
        ];
      }),
    ),
  ]);
}

function memoryTable({ points }: ScaleResults): string {
  return markdownTable([
    [
      '',
      `watches (${M})`,
      `sessions lost or suspended (${M})`,
      `ZooKeeper's live heap, MB (${M})`,
      `its resident memory, MB (${M})`,
      `resident memory of the gateways' processes, MB (${M})`,
    ],
    ...points.map((point) => [
      name(point),
      count(point.watches),
      count(point.disconnects),
      digits(point.heapBytes / MB),
      digits(point.serverRssBytes / MB),
      digits(point.clientRssBytes / MB),
    ]),
  ]);
}

function oneTable({ one }: ScaleResults): string {
  const rows: [string, (gateway: ScaleResults['one'][number]) => string][] = [
    [`start until 99 % of the Brokers are ready, s`, ({ startMs }) => digits(startMs / 1_000)],
    [`longest turn of the event loop until then, ms`, ({ startTurnMs }) => digits(startTurnMs)],
    [`resident memory, MB`, ({ rssBytes }) => digits(rssBytes / MB)],
    [`CPU, nothing asked of it, % of a core`, ({ idleCpu }) => digits(idleCpu * 100)],
    ...(one[0]?.churn ?? []).flatMap(({ perSecond }, i): typeof rows => [
      [`CPU, ${perSecond} changes a second, %`, ({ churn }) => digits((churn[i]?.cpu ?? Number.NaN) * 100)],
      [`memory then, MB`, ({ churn }) => digits((churn[i]?.rssBytes ?? Number.NaN) / MB)],
      [`longest turn then, ms`, ({ churn }) => digits(churn[i]?.turnMs ?? Number.NaN)],
    ]),
    ...(one[0]?.pages ?? []).flatMap(({ path }, i): typeof rows => [
      [`\`${path}\`, KB`, ({ pages }) => digits((pages[i]?.bytes ?? Number.NaN) / 1e3)],
      [`\`${path}\`, ms`, ({ pages }) => digits(pages[i]?.ms ?? Number.NaN)],
    ]),
    [`longest turn while \`/metrics\` is made, ms`, ({ scrapeTurnMs }) => digits(scrapeTurnMs)],
  ];
  return markdownTable([
    [`all ${M}`, ...one.map(({ brokers }) => `${count(brokers)} Brokers`)],
    ...rows.map(([title, of]) => [title, ...one.map(of)]),
  ]);
}

function knownTable(known: Coefficients): string {
  return markdownTable([
    [`fitted to what was ${M}`, ''],
    ['ZooKeeper: a request, µs', digits(known.serverRequestUs)],
    ['ZooKeeper: a KB sent, µs', digits(known.serverKilobyteUs)],
    ['gateway: a request, µs', digits(known.clientRequestUs)],
    ['gateway: a KB read, µs', digits(known.clientKilobyteUs)],
    ['heap of a server, MB', digits(known.serverHeap / MB)],
    ['heap of a session with its watches, KB', digits(known.sessionHeap / 1e3)],
    ['heap of an announced Broker, KB', digits(known.brokerHeap / 1e3)],
    ["a leader's change with few gateways, ms", digits(known.leaderMs)],
  ]);
}

function sizes({ nameBytes, dataBytes }: ScaleResults): Size[] {
  return SIZES.map(([servers, gateways, brokers]) => ({ servers, gateways, brokers, nameBytes, dataBytes }));
}

function beyondTable(results: ScaleResults, known: Coefficients): string {
  const all = sizes(results);
  const traffic = (of: (size: Size) => Traffic): [string, (size: Size) => string][] => [
    ['requests', (size) => count(of(size).requests)],
    ['MB to gateways', (size) => digits(of(size).bytesIn / MB)],
    ['seconds of CPU, all servers', (size) => digits(serverCpuUs(of(size), known) / 1e6)],
  ];
  const rows: [string, (size: Size) => string][] = [
    ['watches, all servers', ({ gateways }) => count(gateways * WATCHES)],
    ['live heap of a server, MB', (size) => digits(heapOfServer(size, known) / MB)],
    ...prefixed('a second of quiet', traffic(idleTraffic)),
    ...prefixed('a change of the leader', traffic(leaderTraffic)),
    ...SPREADS.map((spread): [string, (size: Size) => string] => [
      `last gateway knows, ms${spread === 0 ? '' : `, each waits up to ${count(spread)} ms`}`,
      (size) => digits(leaderLastMs(size, known, spread)),
    ]),
    ...prefixed('all gateways start at once', traffic(startTraffic)),
    ['probes a second, each Broker', ({ gateways }) => count(gateways * BROKER_PROBES_PER_SECOND)],
    ['probes a second, each leader', ({ gateways }) => count(gateways * LEADER_PROBES_PER_SECOND)],
    ['probes a second, each gateway', ({ brokers }) => count(brokers * BROKER_PROBES_PER_SECOND)],
  ];
  return markdownTable([
    [`all ${C}`, ...all.map(name)],
    ...rows.map(([title, of]) => [title, ...all.map(of)]),
  ]);
}

function prefixed<T>(prefix: string, rows: readonly (readonly [string, T])[]): [string, T][] {
  return rows.map(([title, of]) => [`${prefix}: ${title}`, of]);
}

function beyondChurn(results: ScaleResults, known: Coefficients): string {
  return markdownTable([
    [
      `all ${C}`,
      'changes a second',
      'requests a second',
      'MB/s to gateways',
      'cores of all servers',
      'most gateways, a core for each server',
    ],
    ...sizes(results).flatMap((size) =>
      RATES.map((rate) => {
        const traffic = churnTraffic(size, rate);
        return [
          name(size),
          count(rate),
          count(traffic.requests),
          digits(traffic.bytesIn / MB),
          cores(serverCpuUs(traffic, known), 1),
          count(mostGateways(size, rate, known)),
        ];
      }),
    ),
  ]);
}

function where({ date, minutes, machine, nameBytes, dataBytes }: ScaleResults): string {
  const { cpu, cores: all, memoryGb, kernel, node, loadBefore } = machine;
  return (
    `${date.slice(0, 10)}, ${Math.round(minutes)} minutes in all. ${cpu}, ${all} cores, ${digits(memoryGb)} GB, Linux ${kernel}; ` +
    `Node ${node}. Load average just before: ${loadBefore.toFixed(2)}. A Broker's name in ZooKeeper has ${nameBytes} bytes, and its ` +
    `data ${dataBytes}; a list of Brokers with names as long reaches 1 MB (\`jute.maxbuffer\`) with ${count(mostBrokers(MAX_BUFFER, nameBytes))} of ` +
    `them (${C}), one with names of 80 bytes with ${count(mostBrokers(MAX_BUFFER, 80))}.`
  );
}
