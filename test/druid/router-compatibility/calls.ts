import { gzipSync } from 'node:zlib';

/** The table that calls ask about: three rows, one for each of the first days of 2024. */
export const TABLE = 'compat_rows';

/** One request, byte for byte. */
export interface Call {
  /** `role: what`, once only. */
  readonly name: string;
  readonly method: string;
  /** As it stands in the request line. In it, in headers and in the body `{{id}}` is an id that is new each time. */
  readonly target: string;
  /** Lines besides Host and Content-Length. */
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
  /** The order of what is in the answer means nothing. */
  readonly unordered?: true;
  /** The whole head, where it is not made of the above. */
  readonly head?: readonly string[];
}

const JSON_TYPE = 'Content-Type: application/json';

function get(name: string, target: string, ...headers: string[]): Call {
  return { name, method: 'GET', target, headers };
}

function post(name: string, target: string, body: string | Buffer | object, ...headers: string[]): Call {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return { name, method: 'POST', target, headers: headers.length > 0 ? headers : [JSON_TYPE], body: text };
}

function gzip(body: object): Buffer {
  return gzipSync(JSON.stringify(body));
}

function gets(role: string, prefix: string, paths: readonly string[]): Call[] {
  return paths.map((path) => get(`${role}: GET ${path === '' ? '(nothing)' : path}`, prefix + path));
}

const SQL = '/druid/v2/sql';
const ROWS = { query: `SELECT k, n FROM ${TABLE} ORDER BY __time` };
/** What the console's query view sends. */
const CONSOLE_RUN = {
  ...ROWS,
  resultFormat: 'array',
  header: true,
  typesHeader: true,
  sqlTypesHeader: true,
  context: { sqlOuterLimit: 1001, sqlQueryId: '{{id}}' },
};

const sql: readonly Call[] = [
  post('sql: rows of a table', SQL, ROWS),
  post('sql: with a slash at the end', `${SQL}/`, ROWS),
  post('sql: the capability probe of the console', `${SQL}?capabilities`, {
    query: 'SELECT 1337',
    context: { timeout: 15000 },
  }),
  post('sql: the query view of the console', SQL, CONSOLE_RUN),
  ...['object', 'objectLines', 'array', 'arrayLines', 'csv'].map((resultFormat) =>
    post(`sql: as ${resultFormat}`, SQL, { ...ROWS, resultFormat, header: true }),
  ),
  post('sql: with a parameter', SQL, {
    query: `SELECT k FROM ${TABLE} WHERE n = ?`,
    parameters: [{ type: 'BIGINT', value: 2 }],
  }),
  post('sql: columns of the tables', SQL, {
    query: `SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = '${TABLE}'`,
  }),
  post('sql: segments by datasource', SQL, {
    query: `SELECT datasource, COUNT(*) c FROM sys.segments WHERE datasource = '${TABLE}' GROUP BY 1`,
  }),
  post('sql: servers', SQL, {
    query: `SELECT server_type, COUNT(*) c FROM sys.servers WHERE server_type <> 'router' GROUP BY 1`,
  }),
  post('sql: supervisors', SQL, { query: 'SELECT COUNT(*) c FROM sys.supervisors' }),
  post('sql: the plan', SQL, { query: `EXPLAIN PLAN FOR SELECT COUNT(*) FROM ${TABLE}` }),
  post(
    'sql: large numbers and decimals',
    SQL,
    '{"query":"SELECT ? AS a, ? AS b","parameters":[{"type":"BIGINT","value":9223372036854775807},{"type":"DOUBLE","value":1.00}]}',
  ),
  post('sql: answer in gzip', SQL, ROWS, JSON_TYPE, 'Accept-Encoding: gzip'),
  post('sql: request in gzip', SQL, gzip(ROWS), JSON_TYPE, 'Content-Encoding: gzip'),
  post('sql: an id of its own', SQL, { query: 'SELECT 1', context: { sqlQueryId: '{{id}}' } }),
  post('sql: an unknown field', SQL, { ...ROWS, unknown: { a: 1 } }),
  post('sql: a syntax error', SQL, { query: 'SELECT FROM' }),
  post('sql: an unknown table', SQL, { query: 'SELECT * FROM nowhere' }),
  post('sql: no query', SQL, {}),
  post('sql: an unknown result format', SQL, { ...ROWS, resultFormat: 'nonsense' }),
  post('sql: malformed JSON', SQL, '{"query":'),
  post('sql: a list instead of an object', SQL, '[]'),
  post('sql: an empty body', SQL, ''),
  post('sql: as plain text', SQL, ROWS.query, 'Content-Type: text/plain'),
  post(
    'sql: as a form',
    SQL,
    encodeURIComponent(ROWS.query),
    'Content-Type: application/x-www-form-urlencoded',
  ),
  post('sql: in XML', SQL, '<query/>', 'Content-Type: application/xml'),
  post('sql: without a content type', SQL, ROWS, 'X-Nothing: x'),
  get('sql: GET', SQL),
  { ...post('sql: PUT', SQL, ROWS), method: 'PUT' },
  { ...get('sql: HEAD', SQL), method: 'HEAD' },
  { ...get('sql: OPTIONS', SQL), method: 'OPTIONS' },
  { ...post('sql: PATCH', SQL, ROWS), method: 'PATCH' },
  { ...get('sql: TRACE', SQL), method: 'TRACE' },
  get('sql: multi-stage queries are not there', `${SQL}/task/enabled?capabilities`),
  get('sql: statements are not there', `${SQL}/statements/enabled`),
  post('sql: a task', `${SQL}/task`, ROWS),
  post('sql: a statement', `${SQL}/statements`, ROWS),
  get('sql: engines', `${SQL}/engines?capabilities`),
  get('sql: running queries', `${SQL}/queries?includeComplete`),
  { ...get('sql: cancel of an unknown id', `${SQL}/{{id}}`), method: 'DELETE' },
  { ...get('sql: cancel of an unknown statement', `${SQL}/statements/{{id}}`), method: 'DELETE' },
];

const V2 = '/druid/v2';
const BASE = { dataSource: TABLE, intervals: ['2024-01-01/2024-02-01'], granularity: 'all' };
const COUNT = [{ type: 'count', name: 'c' }];
const TIMESERIES = { queryType: 'timeseries', ...BASE, aggregations: COUNT };
const SMILE = 'application/x-jackson-smile';

const native: readonly Call[] = [
  post('native: timeseries', V2, TIMESERIES),
  post('native: with a slash and pretty', `${V2}/?pretty`, TIMESERIES),
  post('native: topN', V2, {
    queryType: 'topN',
    ...BASE,
    dimension: 'k',
    metric: 'c',
    threshold: 3,
    aggregations: COUNT,
  }),
  post('native: groupBy', V2, { queryType: 'groupBy', ...BASE, dimensions: ['k'], aggregations: COUNT }),
  post('native: scan', V2, { queryType: 'scan', ...BASE, columns: ['__time', 'k', 'n'], order: 'ascending' }),
  post('native: search', V2, {
    queryType: 'search',
    ...BASE,
    query: { type: 'insensitive_contains', value: 'b' },
  }),
  post('native: segmentMetadata', V2, { queryType: 'segmentMetadata', ...BASE, merge: true }),
  post('native: dataSourceMetadata', V2, { queryType: 'dataSourceMetadata', dataSource: TABLE }),
  post('native: timeBoundary', V2, { queryType: 'timeBoundary', dataSource: TABLE }),
  post('native: the capability probe of the console', `${V2}?capabilities`, {
    queryType: 'dataSourceMetadata',
    dataSource: '__web_console_probe__',
    context: { timeout: 15000 },
  }),
  post('native: an id of its own', V2, { ...TIMESERIES, context: { queryId: '{{id}}' } }),
  post('native: answer in Smile', V2, TIMESERIES, JSON_TYPE, `Accept: ${SMILE}`),
  post('native: answer in gzip', V2, TIMESERIES, JSON_TYPE, 'Accept-Encoding: gzip'),
  post('native: request in gzip', V2, gzip(TIMESERIES), JSON_TYPE, 'Content-Encoding: gzip'),
  post('native: an ETag is wanted', V2, TIMESERIES, JSON_TYPE, 'If-None-Match: "nothing"'),
  post('native: the ETag is the same', V2, TIMESERIES, JSON_TYPE, 'If-None-Match: {{etag}}'),
  post('native: an unknown type', V2, { ...TIMESERIES, queryType: 'nonsense' }),
  post('native: no type', V2, BASE),
  post('native: no aggregations in groupBy', V2, { queryType: 'groupBy', dataSource: TABLE }),
  post('native: an unknown datasource', V2, { ...TIMESERIES, dataSource: 'nowhere' }),
  post('native: malformed JSON', V2, '{"queryType":'),
  post('native: an empty body', V2, ''),
  post('native: without a content type', V2, TIMESERIES, 'X-Nothing: x'),
  post('native: as plain text', V2, TIMESERIES, 'Content-Type: text/plain'),
  post('native: candidates', `${V2}/candidates`, TIMESERIES),
  { ...get('native: cancel of an unknown id', `${V2}/{{id}}`), method: 'DELETE' },
  get('native: GET', V2),
  ...gets('native', V2, ['/datasources', `/datasources/${TABLE}`, `/datasources/${TABLE}/dimensions`]),
  ...gets('native', V2, [`/datasources/${TABLE}/metrics`, '/datasources/nowhere', '/nowhere/else']),
  get('native: interval of a datasource', `${V2}/datasources/${TABLE}?interval=2024-01-01/2024-01-02`),
  get('native: an unknown lookup', '/druid/v1/lookups/introspect/nothing'),
];

const AVATICA = `${SQL}/avatica/`;
const OPEN = { request: 'openConnection', connectionId: '{{id}}', info: {} };
const STATEMENT = { request: 'createStatement', connectionId: '{{id}}' };

const jdbc: readonly Call[] = [
  post('jdbc: a connection is opened', AVATICA, OPEN),
  post('jdbc: without the slash at the end', `${SQL}/avatica`, OPEN),
  post('jdbc: with blanks in the JSON', AVATICA, JSON.stringify(OPEN, null, 2)),
  post('jdbc: in the request header', AVATICA, '', JSON_TYPE, `request: ${JSON.stringify(OPEN)}`),
  post('jdbc: a statement of an unknown connection', AVATICA, STATEMENT),
  post('jdbc: without a connection', AVATICA, { request: 'openConnection', info: {} }),
  post('jdbc: malformed JSON', AVATICA, '{"request":'),
  post('jdbc: an unknown request', AVATICA, { request: 'nonsense', connectionId: '{{id}}' }),
  get('jdbc: GET', AVATICA),
  post(
    'jdbc: not protobuf',
    `${SQL}/avatica-protobuf/`,
    'nonsense',
    'Content-Type: application/octet-stream',
  ),
];

const COORDINATOR = '/druid/coordinator/v1';
const coordinator: readonly Call[] = [
  ...gets('coordinator', COORDINATOR, [
    ...['/leader', '/isLeader', '/loadstatus', '/loadstatus?simple', '/loadstatus?full', '/loadqueue?simple'],
    ...['/datasources', '/datasources?includeDisabled', '/datasources/nowhere', `/datasources/${TABLE}?full`],
    ...[`/datasources/${TABLE}/intervals`, `/datasources/${TABLE}/intervals?simple`],
    ...[`/datasources/${TABLE}/segments`, `/datasources/${TABLE}/tiers`, `/datasources/${TABLE}/loadstatus`],
    ...['/metadata/datasources', `/metadata/datasources/${TABLE}`, `/metadata/datasources/${TABLE}/segments`],
    ...[
      `/metadata/datasources/${TABLE}/segments?full`,
      '/tiers',
      '/tiers?simple',
      '/rules',
      '/rules/_default',
    ],
    ...[`/rules/${TABLE}?full`, `/rules/${TABLE}/history?count=10`, '/config', '/config/history?count=100'],
    ...['/config/compaction', '/compaction/status', `/compaction/status?dataSource=${TABLE}`],
    ...[`/compaction/progress?dataSource=${TABLE}`, '/lookups/config', '/lookups/config?discover=true'],
    ...['/lookups/config/all', '/lookups/status', '/intervals', '/duties', '/catalog', '/nowhere', '/', ''],
    ...['/servers/nowhere', '/config/cloneStatus', '/broker/config'],
  ]),
  { ...get('coordinator: servers', `${COORDINATOR}/servers?simple`), unordered: true },
  { ...get('coordinator: cluster', `${COORDINATOR}/cluster`), unordered: true },
  get(
    'coordinator: a segment by its id',
    `${COORDINATOR}/metadata/datasources/${TABLE}/segments/{{segment}}`,
  ),
  get('coordinator: the same encoded', `${COORDINATOR}/metadata/datasources/${TABLE}/segments/{{segment%}}`),
  get('coordinator: a name with odd characters', `${COORDINATOR}/datasources/a%20b%C3%A4%25%3F%23:x`),
  get('coordinator: a query with odd characters', `${COORDINATOR}/datasources?x=%2F&&y=;a&z=%20+'"&simple=`),
  get('coordinator: a query that is empty', `${COORDINATOR}/datasources?`),
  get('coordinator: a query with a bad escape', `${COORDINATOR}/datasources?x=%zz`),
  get('coordinator: answer in gzip', `${COORDINATOR}/datasources`, 'Accept-Encoding: gzip'),
  { ...get('coordinator: HEAD', `${COORDINATOR}/datasources`), method: 'HEAD' },
  { ...get('coordinator: OPTIONS', `${COORDINATOR}/datasources`), method: 'OPTIONS' },
  { ...get('coordinator: PATCH', `${COORDINATOR}/datasources`), method: 'PATCH' },
  post(
    'coordinator: rules are set',
    `${COORDINATOR}/rules/${TABLE}`,
    [{ type: 'loadForever', tieredReplicants: { _default_tier: 1 } }],
    JSON_TYPE,
    'X-Druid-Author: console',
    'X-Druid-Comment: a comment',
  ),
  get('coordinator: rules as they were set', `${COORDINATOR}/rules/${TABLE}`),
  post('coordinator: malformed rules', `${COORDINATOR}/rules/${TABLE}`, '[{'),
  post('coordinator: rules without a content type', `${COORDINATOR}/rules/${TABLE}`, '[]', 'X-Nothing: x'),
  post('coordinator: lookups are set up', `${COORDINATOR}/lookups/config`, {}),
  get('coordinator: lookups after that', `${COORDINATOR}/lookups/config/all`),
  {
    ...get('coordinator: DELETE of an unknown lookup', `${COORDINATOR}/lookups/config/a/b`),
    method: 'DELETE',
  },
];

const OVERLORD = '/druid/indexer/v1';
const overlord: readonly Call[] = [
  ...gets('overlord', OVERLORD, [
    ...['/leader', '/isLeader', '/tasks?state=running', '/waitingTasks', '/pendingTasks', '/runningTasks'],
    ...['/workers', '/worker', '/worker/history?count=100', '/totalWorkerCapacity', '/scaling'],
    ...['/supervisor', '/supervisor?full', '/supervisor?state=true', '/supervisor/nothing'],
    ...['/supervisor/nothing/status', '/supervisor/history', '/task/nothing', '/task/nothing/status'],
    ...[
      '/task/nothing/reports',
      '/task/nothing/log?offset=-16000',
      '/nowhere',
      `/datasources/${TABLE}/nowhere`,
    ],
    ...[`/pendingSegments/${TABLE}`],
  ]),
  { ...get('overlord: complete tasks', `${OVERLORD}/completeTasks?max=2`), unordered: true },
  get('overlord: tasks of a datasource', `${OVERLORD}/tasks?state=complete&datasource=${TABLE}`),
  get('overlord: a task', `${OVERLORD}/task/{{task}}`),
  get('overlord: status of a task', `${OVERLORD}/task/{{task}}/status`),
  get('overlord: report of a task', `${OVERLORD}/task/{{task}}/reports`),
  get('overlord: log of a task', `${OVERLORD}/task/{{task}}/log?offset=-16000`),
  post('overlord: status of tasks', `${OVERLORD}/taskStatus`, ['nothing']),
  post('overlord: locked intervals', `${OVERLORD}/lockedIntervals`, { [TABLE]: 0 }),
  post('overlord: shutdown of an unknown task', `${OVERLORD}/task/nothing/shutdown`, ''),
  post('overlord: a task of no type', `${OVERLORD}/task`, { type: 'nonsense' }),
  post('overlord: a malformed task', `${OVERLORD}/task`, '{"type":'),
  post('overlord: a task without a content type', `${OVERLORD}/task`, '{}', 'X-Nothing: x'),
  post('overlord: a supervisor of no type', `${OVERLORD}/supervisor`, { type: 'nonsense' }),
  post('overlord: shutdown of an unknown supervisor', `${OVERLORD}/supervisor/nothing/terminate`, ''),
  post('overlord: worker configuration', `${OVERLORD}/worker`, {
    selectStrategy: { type: 'equalDistribution' },
  }),
  post('overlord: the data loader', `${OVERLORD}/sampler?for=connect`, {
    type: 'index_parallel',
    spec: {
      type: 'index_parallel',
      ioConfig: {
        type: 'index_parallel',
        inputSource: { type: 'inline', data: '{"a":1}' },
        inputFormat: { type: 'json' },
      },
      dataSchema: { dataSource: 'sample', timestampSpec: { column: 'a' }, dimensionsSpec: {} },
    },
    samplerConfig: { numRows: 5, timeoutMs: 15000 },
  }),
  { ...get('overlord: HEAD', `${OVERLORD}/workers`), method: 'HEAD' },
  post('overlord: an internal action', `${OVERLORD}/action`, '{}'),
];

const proxied: readonly Call[] = [
  ...gets('proxy', '/proxy', [
    ...['/enabled', '/coordinator/status', '/overlord/status', '/COORDINATOR/status', '', '/', '/enabled/'],
    ...['/coordinator/druid/coordinator/v1/leader', '/overlord/druid/indexer/v1/leader'],
    ...['/coordinator', '/coordinator/', '/coordinatorx', '/coordinator@127.0.0.1', '/coordinator%2fstatus'],
    ...['/broker/status', '/coordinator/status/health', '/coordinator/druid/coordinator/v1/nowhere'],
    ...['/coordinator/druid-internal/v1/segments', '/coordinator/druid/coordinator/v1/../v1/leader'],
    ...['/coordinator/unified-console.html', '/overlord/druid/worker/v1/enabled'],
  ]),
  get('proxy: properties of the Coordinator', '/proxy/coordinator/status/properties'),
  post('proxy: an internal action', '/proxy/overlord/druid/indexer/v1/action', '{}'),
];

const own: readonly Call[] = [
  ...gets('router', '', [
    ...['/status', '/status/', '/status/health', '/status/ready', '/status/properties', '/status/nowhere'],
    ...['/status/selfDiscovered', '/status/selfDiscovered/status', '/druid', '/druid/nowhere', '/nowhere'],
    ...['/druid/broker/v1/loadstatus', '/druid/historical/v1/loadstatus', '/druid/worker/v1/enabled'],
    ...['/druid-internal/v1/segments', '/druid-ext/basic-security/authentication/db/basic/users'],
    ...['/druid/listen/v1/lookups', '/info', '/druid/router/v1', '/druid/router/v1/nowhere'],
  ]),
  { ...get('router: its Brokers', '/druid/router/v1/brokers'), unordered: true },
  { ...get('router: HEAD of its health', '/status/health'), method: 'HEAD' },
  { ...get('router: OPTIONS of its health', '/status/health'), method: 'OPTIONS' },
  { ...post('router: POST to its health', '/status/health', {}), method: 'POST' },
  ...gets('console', '', [
    ...[
      '/',
      '/unified-console.html',
      '/index.html',
      '/console.html',
      '/old-console.html',
      '/console-config.js',
    ],
    ...[
      '/favicon.png',
      '/public/web-console-24.0.1.js',
      '/public/nothing.js',
      '/assets/nothing.png',
      '/public/',
    ],
  ]),
  { ...get('console: HEAD of the page', '/unified-console.html'), method: 'HEAD' },
  get('console: the page in gzip', '/unified-console.html', 'Accept-Encoding: gzip'),
];

const line = (start: string): string => `${start} HTTP/1.1`;
const HOST = 'Host: gateway';
function raw(name: string, head: readonly string[], body = ''): Call {
  return { name: `wire: ${name}`, method: 'GET', target: '', head, body };
}
const LENGTH = `Content-Length: ${JSON.stringify(ROWS).length}`;
const CHUNKED = `${JSON.stringify(ROWS).length.toString(16)}\r\n${JSON.stringify(ROWS)}\r\n0\r\n\r\n`;

const wire: readonly Call[] = [
  ...[
    ...[
      '//druid/v2/datasources',
      '/druid//v2/datasources',
      '/druid/./v2/datasources',
      '/x/../druid/v2/datasources',
    ],
    ...['/druid/%2e%2e/druid/v2/datasources', '/druid/v2/data%73ources', '/druid/v2/datasources;x=1'],
    ...['/druid/v2/datasources/a%2fb', '/druid/v2/datasources/a%5cb', '/druid/v2/datasources/%zz'],
    ...[
      '/druid/v2/datasources/%00',
      '/DRUID/v2/datasources',
      '/druid/V2/datasources',
      '/druid/v2/datasources/',
    ],
    ...['/druid/coordinator/v1/%64atasources', '/druid/coordinator/../indexer/v1/workers', '/druid/v2/a b'],
    ...['http://gateway/druid/v2/datasources', 'druid/v2/datasources', '/druid/v2/datasources#x'],
  ].map((target) => raw(`GET ${target}`, [line(`GET ${target}`), HOST])),
  raw('no Host', [line('GET /status/health')]),
  raw('two Hosts', [line('GET /status/health'), HOST, 'Host: b']),
  raw('HTTP/1.0', ['GET /druid/coordinator/v1/isLeader HTTP/1.0']),
  raw('HTTP/1.0 SQL', ['POST /druid/v2/sql HTTP/1.0', JSON_TYPE, LENGTH], JSON.stringify(ROWS)),
  raw('Connection: close', [line('GET /druid/coordinator/v1/isLeader'), HOST, 'Connection: close']),
  raw(
    'a chunked request',
    [line('POST /druid/v2/sql'), HOST, JSON_TYPE, 'Transfer-Encoding: chunked'],
    CHUNKED,
  ),
  raw(
    'two framings',
    [line('POST /druid/v2/sql'), HOST, JSON_TYPE, LENGTH, 'Transfer-Encoding: chunked'],
    CHUNKED,
  ),
  raw(
    'Expect: 100-continue',
    [line('POST /druid/v2/sql'), HOST, JSON_TYPE, LENGTH, 'Expect: 100-continue'],
    JSON.stringify(ROWS),
  ),
  raw(
    'another expectation',
    [line('POST /druid/v2/sql'), HOST, JSON_TYPE, LENGTH, 'Expect: nonsense'],
    JSON.stringify(ROWS),
  ),
  raw(
    'TE: trailers',
    [line('POST /druid/v2/sql'), HOST, JSON_TYPE, LENGTH, 'TE: trailers'],
    JSON.stringify(ROWS),
  ),
  raw('a head of 9 kB', [line('GET /druid/v2/datasources'), HOST, `X-Large: ${'x'.repeat(9_000)}`]),
  raw('an upgrade', [line('GET /druid/v2/datasources'), HOST, 'Connection: Upgrade', 'Upgrade: h2c']),
];

/** A task that does nothing; last, since it is seen in the lists of tasks. */
const last: readonly Call[] = [
  post('overlord: a task is taken', '/druid/indexer/v1/task', {
    type: 'noop',
    id: 'noop-{{id}}',
    dataSource: 'nothing',
    runTime: 0,
  }),
];

/** Every endpoint that the console and the documented interfaces use, and what is wrong in many ways. */
export const CALLS: readonly Call[] = [
  ...sql,
  ...native,
  ...jdbc,
  ...coordinator,
  ...overlord,
  ...proxied,
  ...own,
  ...wire,
  ...last,
];
