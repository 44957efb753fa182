import { DATASOURCE, graph, layOut, type Row, type Step, stat, states, table } from './panels.ts';

/** What every series is selected by. */
const IN = 'job=~"$job",instance=~"$instance"';

/** A metric of the gateways that are chosen, with more matchers. */
function of(name: string, matchers = ''): string {
  return `druid_gateway_${name}{${IN}${matchers === '' ? '' : `,${matchers}`}}`;
}

function rate(name: string, by: string, matchers = ''): string {
  return `sum by (${by}) (rate(${of(name, matchers)}[$__rate_interval]))`;
}

/** How often it happened from one point of the graph to the next. */
function increase(name: string, by: string, matchers = ''): string {
  return `sum by (${by}) (increase(${of(name, matchers)}[$__rate_interval]))`;
}

function quantile(q: number, name: string, by: string): string {
  return `histogram_quantile(${q}, sum by (${by}, le) (rate(${of(`${name}_bucket`)}[$__rate_interval])))`;
}

const LEADER_STATE = {
  0: ['none', 'red'],
  1: ['elected', 'orange'],
  2: ['serving', 'green'],
} as const;
const YES_NO = { 0: ['no', 'red'], 1: ['yes', 'green'] } as const;
const BAD_ABOVE_0: readonly Step[] = [
  [null, 'green'],
  [1, 'red'],
];

const OVERVIEW: Row = {
  title: 'At a glance',
  panels: [
    stat({
      title: 'Coordinator',
      description: 'State of the leader, as the gateway that knows best sees it.',
      queries: [{ expr: `max(${of('leader_state', 'role="coordinator"')})` }],
      texts: LEADER_STATE,
      width: 3,
    }),
    stat({
      title: 'Overlord',
      description: 'State of the leader, as the gateway that knows best sees it.',
      queries: [{ expr: `max(${of('leader_state', 'role="overlord"')})` }],
      texts: LEADER_STATE,
      width: 3,
    }),
    stat({
      title: 'Brokers ready',
      description: 'Least of all gateways.',
      queries: [{ expr: `min(sum by (instance) (${of('upstream_up')}))` }],
      steps: [
        [null, 'red'],
        [1, 'green'],
      ],
      width: 3,
    }),
    stat({
      title: 'Gateways',
      description: 'That answer Prometheus.',
      queries: [{ expr: `count(${of('build_info')})` }],
      width: 3,
    }),
    stat({
      title: 'Requests',
      description: 'Of all gateways.',
      queries: [{ expr: `sum(rate(${of('requests_total')}[$__rate_interval]))` }],
      unit: 'reqps',
      steps: [[null, 'blue']],
      width: 3,
    }),
    stat({
      title: 'Errors',
      description: 'Share of answers of 500 and more, Druid’s own included.',
      queries: [
        {
          expr: `(sum(rate(${of('requests_total', 'status=~"5.."')}[$__rate_interval])) or vector(0)) / sum(rate(${of('requests_total')}[$__rate_interval]))`,
        },
      ],
      unit: 'percentunit',
      decimals: 2,
      steps: [
        [null, 'green'],
        [0.01, 'yellow'],
        [0.05, 'red'],
      ],
      width: 3,
    }),
    stat({
      title: 'Requests waiting',
      description: 'For a leader or a Broker.',
      queries: [{ expr: `sum(${of('parked_requests')})` }],
      steps: BAD_ABOVE_0,
      width: 3,
    }),
    stat({
      title: 'First certificate ends in',
      description: 'Of all files of certificates in use.',
      queries: [{ expr: `min(${of('certificate_expiry_timestamp_seconds')}) - time()` }],
      unit: 's',
      steps: [
        [null, 'red'],
        [172_800, 'orange'],
        [1_209_600, 'green'],
      ],
      width: 3,
    }),
  ],
};

const LEADERS: Row = {
  title: 'Who leads',
  panels: [
    states({
      title: 'Leaders',
      description: 'Serving: the elected node itself says so. Elected: it does not yet, requests wait.',
      queries: [
        { expr: `min by (role, instance) (${of('leader_state')})`, legend: '{{role}} by {{instance}}' },
      ],
      texts: LEADER_STATE,
      width: 12,
      height: 8,
    }),
    graph({
      title: 'Terms',
      description:
        'Sequence number of the leader’s latch node. Gateways that differ follow different leaders.',
      queries: [{ expr: of('leader_term'), legend: '{{role}} by {{instance}}' }],
      decimals: 0,
      width: 6,
    }),
    graph({
      title: 'Changes, conflicts, rivals',
      description: 'Of the gateway that saw most of them.',
      queries: [
        {
          expr: `max by (role) (increase(${of('leader_changes_total')}[$__rate_interval]))`,
          legend: '{{role}} changes',
        },
        {
          expr: `max by (role) (increase(${of('leader_conflicts_total')}[$__rate_interval]))`,
          legend: '{{role}} conflicts',
        },
        { expr: `max by (role) (${of('rival_leaders')})`, legend: '{{role}} rivals' },
      ],
      width: 6,
    }),
    graph({
      title: 'Longest gap without a leader',
      description: 'Upper bound of the longest gap in the last hour, before each new term.',
      queries: [
        {
          expr: `histogram_quantile(1, sum by (role, le) (increase(${of('leader_gap_seconds_bucket')}[1h])))`,
          legend: '{{role}}',
        },
      ],
      unit: 's',
      width: 8,
    }),
    graph({
      title: 'Requests that waited for a leader',
      description: 'Once they have ended. Failed: the gateway refused them.',
      queries: [{ expr: increase('leader_waits_total', 'role, outcome'), legend: '{{role}} {{outcome}}' }],
      width: 8,
    }),
    graph({
      title: 'Age of the leader',
      description: 'Since when node, state and term are what they are.',
      queries: [{ expr: `max by (role) (${of('leader_age_seconds')})`, legend: '{{role}}' }],
      unit: 's',
      width: 8,
    }),
  ],
};

const REQUESTS: Row = {
  title: 'Requests',
  panels: [
    graph({
      title: 'By class',
      description: 'Requests answered a second.',
      queries: [{ expr: rate('requests_total', 'class'), legend: '{{class}}' }],
      unit: 'reqps',
      stacked: true,
      width: 8,
    }),
    graph({
      title: 'By status',
      description: '499: the client left before its answer.',
      queries: [{ expr: rate('requests_total', 'status'), legend: '{{status}}' }],
      unit: 'reqps',
      stacked: true,
      width: 8,
    }),
    graph({
      title: 'Share of errors by role',
      description: 'Answers of 500 and more, Druid’s own included.',
      queries: [
        {
          // Roles without an error have no series of errors.
          expr: `(${rate('requests_total', 'role', 'status=~"5.."')} or 0 * ${rate('requests_total', 'role')}) / ${rate('requests_total', 'role')}`,
          legend: '{{role}}',
        },
      ],
      unit: 'percentunit',
      width: 8,
    }),
    graph({
      title: 'Duration, p50',
      description: 'From the request’s head to the last byte sent. As exact as the buckets.',
      queries: [{ expr: quantile(0.5, 'request_duration_seconds', 'class'), legend: '{{class}}' }],
      unit: 's',
      width: 8,
    }),
    graph({
      title: 'Duration, p99',
      description: 'From the request’s head to the last byte sent. As exact as the buckets.',
      queries: [{ expr: quantile(0.99, 'request_duration_seconds', 'class'), legend: '{{class}}' }],
      unit: 's',
      width: 8,
    }),
    graph({
      title: 'Refusals by reason',
      description: 'The gateway’s own errors; docs/operations.md has what each code means.',
      queries: [{ expr: rate('errors_total', 'reason'), legend: '{{reason}}' }],
      unit: 'reqps',
      stacked: true,
      width: 8,
    }),
    graph({
      title: 'Attempts, retries and their budget',
      description: 'Refused: not sent again because the budget was spent.',
      queries: [
        { expr: rate('attempts_total', 'role'), legend: '{{role}} attempts' },
        { expr: rate('retries_total', 'role'), legend: '{{role}} retries' },
        { expr: `sum(rate(${of('retries_refused_total')}[$__rate_interval]))`, legend: 'refused' },
      ],
      unit: 'reqps',
      width: 8,
    }),
    graph({
      title: 'Answers that were not whole',
      description: 'Cut: the node broke off. Incomplete: Druid said so in a trailer. Gone: the client left.',
      queries: [
        { expr: increase('upstream_cut_total', 'role'), legend: '{{role}} cut' },
        { expr: increase('incomplete_answers_total', 'role'), legend: '{{role}} incomplete' },
        { expr: increase('client_gone_total', 'role'), legend: '{{role}} client gone' },
      ],
      width: 8,
    }),
    graph({
      title: 'Bytes of bodies, and redirects',
      description: 'What clients sent, what they got, and how many were sent to a node themselves.',
      queries: [
        { expr: `sum(rate(${of('received_bytes_total')}[$__rate_interval]))`, legend: 'received' },
        { expr: `sum(rate(${of('sent_bytes_total')}[$__rate_interval]))`, legend: 'sent' },
        { expr: rate('redirects_total', 'role'), legend: '{{role}} redirects (1/s)' },
      ],
      unit: 'Bps',
      width: 8,
    }),
  ],
};

const BROKERS: Row = {
  title: 'Brokers',
  panels: [
    states({
      title: 'Each Broker',
      description: 'Whether it gets new queries. A cordoned one does not.',
      queries: [
        {
          expr: `min by (service, node) (${of('upstream_up')} + 2 * ${of('upstream_cordoned')})`,
          legend: '{{node}} ({{service}})',
        },
      ],
      texts: {
        0: ['out', 'red'],
        1: ['ready', 'green'],
        2: ['cordoned', 'blue'],
        3: ['cordoned', 'blue'],
      },
      width: 12,
      height: 8,
    }),
    graph({
      title: 'Ready by service',
      description: 'Least of all gateways, and how many are announced.',
      queries: [
        {
          expr: `min by (service) (sum by (instance, service) (${of('upstream_up')}))`,
          legend: '{{service}} ready',
        },
        {
          expr: `max by (service) (count by (instance, service) (${of('upstream_up')}))`,
          legend: '{{service}} announced',
        },
      ],
      decimals: 0,
      width: 6,
    }),
    graph({
      title: 'Ejections',
      description: 'Brokers that are left out for a while because their requests failed.',
      queries: [{ expr: increase('broker_ejections_total', 'instance'), legend: '{{instance}}' }],
      width: 6,
    }),
    graph({
      title: 'Errors of a Broker',
      description:
        'Its share of attempts without an answer, with status 500 or more, or that broke off; the ten worst.',
      queries: [
        {
          expr: `topk(10, ${rate('upstream_errors_total', 'service, node')} / ${rate('upstream_attempts_total', 'service, node')})`,
          legend: '{{node}} ({{service}})',
        },
      ],
      unit: 'percentunit',
      width: 12,
    }),
    graph({
      title: 'Latency of a Broker',
      description: 'Mean time from sending until the head of its answer; the ten slowest.',
      queries: [
        {
          expr: `topk(10, ${rate('upstream_latency_seconds_total', 'service, node')} / ${rate('upstream_attempts_total', 'service, node')})`,
          legend: '{{node}} ({{service}})',
        },
      ],
      unit: 's',
      width: 12,
    }),
    graph({
      title: 'Requests at the busiest nodes',
      description: 'Sent and not yet answered to the end, of all gateways; the ten with most.',
      queries: [{ expr: `topk(10, sum by (node) (${of('upstream_outstanding')}))`, legend: '{{node}}' }],
      width: 8,
    }),
    graph({
      title: 'Placement by service',
      description: 'Only with more than one Broker service.',
      queries: [
        {
          expr: rate('placed_requests_total', 'service, by, fallback'),
          legend: '{{service}} by {{by}}, fallback {{fallback}}',
        },
      ],
      unit: 'reqps',
      width: 8,
    }),
    graph({
      title: 'Age of the load rules',
      description: 'Below 0 where they are not read.',
      queries: [{ expr: `${of('load_rules_age_seconds')} >= 0`, legend: '{{instance}}' }],
      unit: 's',
      width: 8,
    }),
  ],
};

const WAITING: Row = {
  title: 'Waiting and limits',
  panels: [
    graph({
      title: 'Waiting for a leader or a Broker',
      description: 'Parked requests, with their clients’ connections open.',
      queries: [{ expr: `sum by (role) (${of('parked_requests')})`, legend: '{{role}}' }],
      width: 6,
    }),
    graph({
      title: 'How long requests were parked',
      description: 'Of those that had to wait.',
      queries: [
        { expr: quantile(0.5, 'parked_seconds', 'role'), legend: '{{role}} p50' },
        { expr: quantile(0.99, 'parked_seconds', 'role'), legend: '{{role}} p99' },
      ],
      unit: 's',
      width: 6,
    }),
    graph({
      title: 'At nodes, and waiting for room',
      description: 'What counts against limits.concurrency, and what is in limits.queue.',
      queries: [
        { expr: `sum by (role) (${of('running_requests')})`, legend: '{{role}} at nodes' },
        { expr: `sum by (role) (${of('queued_requests')})`, legend: '{{role}} queued' },
      ],
      width: 6,
    }),
    graph({
      title: 'In flight',
      description: 'Waiting ones included.',
      queries: [{ expr: of('requests_in_flight'), legend: '{{instance}}' }],
      width: 6,
    }),
  ],
};

const ZOOKEEPER: Row = {
  title: 'ZooKeeper and discovery',
  panels: [
    states({
      title: 'Session',
      description: 'Suspended: the connection is gone, the session may still hold.',
      queries: [
        { expr: `${of('zookeeper_session_state', 'state="connected"')}`, legend: '{{instance}} connected' },
        { expr: `${of('view_complete')}`, legend: '{{instance}} ready' },
      ],
      texts: YES_NO,
      width: 12,
    }),
    graph({
      title: 'Age of the view',
      description: 'Since discovery was last read; it is reread every 45 s at the latest.',
      queries: [{ expr: of('discovery_age_seconds'), legend: '{{instance}}' }],
      unit: 's',
      height: 6,
      width: 6,
    }),
    graph({
      title: 'Reconnects, faults, watches',
      description:
        'Faults: znodes, pods or services that are of no use; the log names them. Restarts: watches and blocking queries that began anew; watches of Kubernetes do so every few minutes.',
      queries: [
        { expr: increase('zookeeper_reconnects_total', 'instance'), legend: '{{instance}} reconnects' },
        {
          expr: increase('discovery_restarts_total', 'instance, source'),
          legend: '{{instance}} {{source}} restarts',
        },
        { expr: increase('discovery_faults_total', 'instance'), legend: '{{instance}} faults' },
        { expr: of('zookeeper_watches'), legend: '{{instance}} watches' },
      ],
      height: 6,
      width: 6,
    }),
    states({
      title: 'State of discovery',
      description: 'Also without ZooKeeper.',
      queries: [{ expr: `${of('discovery_state')} == 1`, legend: '{{instance}} {{state}}' }],
      texts: { 1: ['so', 'blue'] },
      width: 24,
    }),
  ],
};

const process = (name: string): string => `${name}{${IN}} and on (job, instance) ${of('build_info')}`;

const GATEWAY: Row = {
  title: 'The gateways themselves',
  panels: [
    graph({
      title: 'CPU',
      description: 'Cores, of each process.',
      queries: [
        {
          expr: `rate(process_cpu_seconds_total{${IN}}[$__rate_interval]) and on (job, instance) ${of('build_info')}`,
          legend: '{{instance}} {{worker}}',
        },
      ],
      width: 6,
    }),
    graph({
      title: 'Resident memory',
      description: 'Of each process, and the part that bodies of requests take.',
      queries: [
        { expr: process('process_resident_memory_bytes'), legend: '{{instance}} {{worker}}' },
        { expr: of('body_bytes'), legend: '{{instance}} bodies' },
      ],
      unit: 'bytes',
      width: 6,
    }),
    graph({
      title: 'Event loop, p99 of its lateness',
      description: 'Above 0.1 s there is too little CPU.',
      queries: [{ expr: process('nodejs_eventloop_lag_p99_seconds'), legend: '{{instance}} {{worker}}' }],
      unit: 's',
      width: 6,
    }),
    graph({
      title: 'Garbage collection',
      description: 'Share of the time.',
      queries: [
        {
          expr: `sum by (instance, worker) (rate(nodejs_gc_duration_seconds_sum{${IN}}[$__rate_interval]) and on (job, instance) ${of('build_info')})`,
          legend: '{{instance}} {{worker}}',
        },
      ],
      unit: 'percentunit',
      width: 6,
    }),
    graph({
      title: 'Workers',
      description: 'Processes that answered, those that ended by why, and those that took their places.',
      queries: [
        { expr: of('workers'), legend: '{{instance}} answering' },
        { expr: increase('worker_exits_total', 'instance, reason'), legend: '{{instance}} {{reason}}' },
        { expr: increase('worker_restarts_total', 'instance'), legend: '{{instance}} restarts' },
      ],
      width: 6,
    }),
    graph({
      title: 'Internal errors',
      description: 'Any is a bug of the gateway.',
      queries: [
        { expr: increase('internal_errors_total', 'instance, place'), legend: '{{instance}} {{place}}' },
      ],
      width: 6,
    }),
    graph({
      title: 'Open descriptors',
      description: 'Of each process; a client and its node take one each.',
      queries: [{ expr: process('process_open_fds'), legend: '{{instance}} {{worker}}' }],
      width: 6,
    }),
    graph({
      title: 'Spans and feeds',
      description:
        'Only with tracing, dropped ones by why; commands with feeds.haproxy, EndpointSlices with feeds.kubernetes.',
      queries: [
        { expr: rate('spans_exported_total', 'instance'), legend: '{{instance}} exported' },
        { expr: rate('spans_dropped_total', 'instance, reason'), legend: '{{instance}} {{reason}}' },
        { expr: rate('haproxy_feed_commands_total', 'instance'), legend: '{{instance}} commands of HAProxy' },
        { expr: rate('kubernetes_feed_writes_total', 'instance'), legend: '{{instance}} EndpointSlices' },
      ],
      unit: 'cps',
      width: 6,
    }),
    states({
      title: 'Reloads, history, pressure, feeds',
      description:
        'Whether the last reload was taken up, history.file was written, new requests are taken, HAProxy (feeds.haproxy) and EndpointSlices (feeds.kubernetes) follow, and who writes these.',
      queries: [
        { expr: of('config_last_reload_successful'), legend: '{{instance}} reload' },
        { expr: of('history_last_write_successful'), legend: '{{instance}} history' },
        { expr: `1 - ${of('overloaded')}`, legend: '{{instance}} takes requests' },
        { expr: of('haproxy_feed_up'), legend: '{{instance}} HAProxy' },
        { expr: of('kubernetes_feed_up'), legend: '{{instance}} EndpointSlices' },
        { expr: of('kubernetes_feed_holder'), legend: '{{instance}} writes EndpointSlices' },
      ],
      texts: YES_NO,
      height: 6,
      width: 24,
    }),
    table({
      title: 'Certificates',
      description: 'When the first of each file ends.',
      queries: [
        {
          expr: `${of('certificate_expiry_timestamp_seconds')} - time()`,
          instant: true,
        },
      ],
      unit: 's',
      steps: [
        [null, 'red'],
        [172_800, 'orange'],
        [1_209_600, 'green'],
      ],
      width: 8,
    }),
    table({
      title: 'Versions',
      description: 'Of the gateways and of Node.js.',
      queries: [{ expr: of('build_info'), instant: true }],
      width: 8,
    }),
    table({
      title: 'Configuration and history',
      description: 'Age of the configuration in use, terms kept, dangerous settings.',
      queries: [
        {
          expr: `time() - ${of('config_last_reload_success_timestamp_seconds')}`,
          instant: true,
        },
        { expr: of('history_terms'), instant: true },
        { expr: of('dangerous_settings'), instant: true },
      ],
      width: 8,
    }),
  ],
};

const ROWS = [OVERVIEW, LEADERS, REQUESTS, BROKERS, WAITING, ZOOKEEPER, GATEWAY];

/** Grafana's dashboard in JSON, for Grafana 10 or later; it needs no plugin and names no data source. */
export function grafanaDashboard(): object {
  return {
    title: 'druid-gateway',
    uid: 'druid-gateway',
    description: 'Leaders, requests, Brokers and the gateways in front of a Druid cluster.',
    tags: ['druid', 'druid-gateway'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    timezone: 'utc',
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    annotations: { list: annotations() },
    templating: { list: variables() },
    links: [],
    panels: layOut(ROWS),
  };
}

function annotations(): object[] {
  const marked = (name: string, iconColor: string, expr: string, title: string): object => ({
    name,
    datasource: DATASOURCE,
    enable: true,
    hide: false,
    iconColor,
    expr,
    step: '60s',
    titleFormat: title,
  });
  return [
    marked(
      'Leadership changes',
      'purple',
      `max by (role) (increase(${of('leader_changes_total')}[1m])) > 0`,
      'Another {{role}} leads',
    ),
    marked(
      'Reloads refused',
      'red',
      `max by (instance) (${of('config_last_reload_successful')}) == 0`,
      '{{instance}} refused its configuration',
    ),
  ];
}

function variables(): object[] {
  const labels = (name: string, label: string, query: string): object => ({
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    current: { text: 'All', value: '$__all' },
  });
  return [
    {
      name: 'datasource',
      label: 'Data source',
      type: 'datasource',
      query: 'prometheus',
      current: { text: 'default', value: 'default' },
    },
    labels('job', 'Job', 'label_values(druid_gateway_build_info, job)'),
    labels('instance', 'Gateway', 'label_values(druid_gateway_build_info{job=~"$job"}, instance)'),
  ];
}
