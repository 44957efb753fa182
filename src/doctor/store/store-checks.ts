import { type Check, fail, info, type Judgement, pass, skip, warn } from '../check.ts';
import type { Facts } from '../facts.ts';
import { isMaster } from '../node-facts.ts';
import { listed } from '../printable.ts';
import { worst } from '../worst.ts';
import { type AskedServer, asked } from './asked-servers.ts';
import { judgeFailOverUrl } from './fail-over-url.ts';
import { judgeCommit, judgeLag, judgePrimary, judgeReplicas } from './replication-judgements.ts';
import { judgeSame } from './same-store.ts';
import type { StoreFacts } from './store-facts.ts';
import { supportEnd } from './support-ends.ts';

const PAGE = 'https://druid.apache.org/docs/latest/operations/high-availability';
const MYSQL = 'https://druid.apache.org/docs/latest/development/extensions-core/mysql';
const STORAGE = 'https://druid.apache.org/docs/latest/design/metadata-storage';
const TABLES = 'druid.metadata.storage.tables';
const URI = 'druid.metadata.storage.connector.connectURI';
const NOT_ASKED = 'give --metadata-url to have the servers of the metadata store asked';
const NO_ANSWER = 'no server of the metadata store could be asked';
/** Share of the connections of a server from which on there is little room. */
const CROWDED = 0.9;
/** Without one of these it is no store of a Coordinator; the others are the Overlord's. */
const NEEDED = ['segments', 'rules', 'config'] as const;
const OF_TASKS = ['tasks', 'tasklocks'] as const;

export const STORE_CHECKS: readonly Check[] = [
  {
    id: 'ha.metadata-servers',
    title: 'Each server of the metadata store that is named answers',
    remedy:
      'Start the servers that do not answer, open their ports to this machine, or correct --metadata-url and the password. For many connections, see ha.metadata-connections.',
    source: PAGE,
    run: ofStore(({ servers, database }) => {
      const silent = servers.filter(({ problem }) => problem !== null);
      if (silent.length === 0) return pass(`${servers.length} servers answer, with the database ${database}`);
      const said = listed(silent.map(({ name, problem }) => `${name} ${problem?.text}`));
      return silent.length === servers.length
        ? fail(said)
        : warn(`${said}; ${servers.length - silent.length} answer`);
    }),
  },
  {
    id: 'ha.metadata-primary',
    title: 'One server of the metadata store takes writes',
    remedy:
      'Stop the server that should not take writes before its data differ further, and set it up anew as a replica; set read_only on replicas of MySQL and MariaDB. If none takes writes, promote the replica that is furthest.',
    source: PAGE,
    run: ofServers(judgePrimary),
  },
  {
    id: 'ha.metadata-tables',
    title: "The database holds Druid's tables",
    remedy: `Name the database of ${URI} in --metadata-url; see ${TABLES}.base, and set druid.indexer.storage.type=metadata, without which an Overlord that ends takes its tasks with it.`,
    source: STORAGE,
    run: ofServers((servers, facts) => judgeTables(servers, settingOf(facts))),
  },
  {
    id: 'ha.metadata-same',
    title: 'It is the store that the masters use',
    remedy: `Name the servers and the database of ${URI} in --metadata-url.`,
    source: PAGE,
    run: ofServers(judgeSame),
  },
  {
    id: 'ha.metadata-replicas',
    title: 'Replicas of the metadata store receive what is written',
    remedy:
      'Set up a replica, or mend its replication: see its log, its connection to the primary, and whether the primary still has what it lacks (replication slots, binary logs).',
    source: PAGE,
    run: ofServers(judgeReplicas),
  },
  {
    id: 'ha.metadata-lag',
    title: 'Replicas of the metadata store are not far behind',
    remedy: 'Look for long queries on the replica, a slow disk or link, and a replay that is paused.',
    source: PAGE,
    run: ofServers(judgeLag),
  },
  {
    id: 'ha.metadata-synchronous',
    title: 'What the metadata store acknowledged is on a replica, too',
    remedy:
      'Bring back the standbys that synchronous_standby_names waits for, or take them out of it: writes hang until then. For MySQL, bring back the replicas that acknowledge.',
    source: PAGE,
    run: ofServers(judgeCommit),
  },
  {
    id: 'ha.metadata-failover',
    title: 'Connections of Druid get to the new primary',
    remedy: `Write ${URI} so that the driver looks for the primary: jdbc:postgresql://db-1,db-2/druid?targetServerType=primary, failOverReadOnly=false for MySQL, jdbc:mariadb:sequential; or name an address that follows the primary.`,
    source: PAGE,
    run: (facts) => judgeFailOver(facts),
  },
  {
    id: 'ha.metadata-connections',
    title: 'The metadata store has room for connections',
    remedy:
      'Raise max_connections, or lower druid.metadata.storage.connector.dbcp.maxTotal or that of other clients.',
    source: PAGE,
    run: ofServers((servers) => {
      const known = servers.flatMap(({ name, state }) =>
        state.connections === null ? [] : [{ name, ...state.connections }],
      );
      if (known.length === 0) return skip('no server told its connections');
      const said = listed(known.map(({ name, used, most }) => `${name}: ${used} of ${most}`));
      return known.some(({ used, most }) => used >= CROWDED * most) ? warn(said) : pass(said);
    }),
  },
  {
    id: 'ha.metadata-version',
    title: 'The version of the metadata store is in support',
    remedy:
      'Upgrade the database. Druid itself asks for a version that adds a column at once: MySQL 8, PostgreSQL 11.',
    source: STORAGE,
    run: ofServers((servers, { store }) =>
      worst(servers.map((server) => judgeVersion(server, store?.askedAt ?? 0))),
    ),
  },
  {
    id: 'ha.metadata-charset',
    title: 'The database stores text as UTF-8',
    remedy:
      'Create the database anew as Druid asks: CREATE DATABASE druid DEFAULT CHARACTER SET utf8mb4 for MySQL, ENCODING UTF8 for PostgreSQL; with another one than UTF-8 Druid does not start on MySQL.',
    source: MYSQL,
    run: ofServers((servers) => worst(servers.map(judgeCharset))),
  },
];

/** Skips where nobody asked for the store to be asked. */
function ofStore(judge: (store: StoreFacts, facts: Facts) => Judgement): Check['run'] {
  return (facts) => (facts.store === null ? skip(NOT_ASKED) : judge(facts.store, facts));
}

/** Skips where no server could be asked. */
function ofServers(judge: (servers: readonly AskedServer[], facts: Facts) => Judgement): Check['run'] {
  return ofStore((store, facts) => {
    const servers = asked(store);
    return servers.length === 0 ? skip(NO_ANSWER) : judge(servers, facts);
  });
}

/** Reads a property of the first master that has it. */
function settingOf({ properties }: Facts): (name: string) => string | undefined {
  const masters = properties.filter(isMaster);
  return (name) => masters.find(({ values }) => values[name] !== undefined)?.values[name];
}

function judgeTables(
  servers: readonly AskedServer[],
  setting: (name: string) => string | undefined,
): Judgement {
  const base = setting(`${TABLES}.base`) ?? 'druid';
  const schema = setting('druid.metadata.postgres.dbTableSchema') ?? 'public';
  // PostgreSQL makes the names small (PostgreSQLConnector), MySQL may.
  const wanted = (name: string): string => (setting(`${TABLES}.${name}`) ?? `${base}_${name}`).toLowerCase();
  return worst(
    servers.map(({ name, state: { tables } }) => {
      const there = new Set(
        tables
          .filter((table) => table.schema === '' || table.schema === schema)
          .map((table) => table.name.toLowerCase()),
      );
      const missing = NEEDED.map(wanted).filter((table) => !there.has(table));
      if (missing.length > 0) return fail(`${name} has no ${missing.join(', ')}${elsewhere(tables)}`);
      const ofTasks = OF_TASKS.map(wanted).filter((table) => !there.has(table));
      if (ofTasks.length > 0) return warn(`${name} has no ${ofTasks.join(', ')}: tasks are not kept in it`);
      return pass(`${name} has ${wanted('segments')} and the others`);
    }),
  );
}

/** Names what looks like Druid's by another name. */
function elsewhere(tables: AskedServer['state']['tables']): string {
  const bases = tables
    .filter(({ name }) => /_segments$/i.test(name))
    .map(({ schema, name }) => (schema === '' ? name : `${schema}.${name}`));
  return bases.length === 0 ? '' : `; there is ${listed(bases, 3)}`;
}

/** What the masters' URL says, and who makes a replica the primary. */
function judgeFailOver({ properties, store, guarded }: Facts): Judgement {
  const uris = [...new Set(properties.filter(isMaster).flatMap(({ values }) => values[URI] ?? []))];
  const byUrl = uris.map(judgeFailOverUrl);
  const servers = store === null ? [] : asked(store);
  const managed = servers.find(({ state }) => state.managed !== null)?.state.managed;
  const managers = [...new Set(servers.flatMap(({ state }) => state.managers))];
  const behind = servers.flatMap(({ name, state }) =>
    state.behind === null ? [] : [info(`${name} is a proxy or another address of ${state.behind}`)],
  );
  const who =
    servers.length === 0
      ? []
      : managed !== undefined && managed !== null
        ? [info(`${managed} makes a replica the primary, which cannot be seen from here`)]
        : servers.some(({ state }) => state.group !== null)
          ? [pass('the group of servers agrees on who takes writes')]
          : managers.length > 0
            ? [pass(`${listed(managers)} is connected, which makes a replica the primary`)]
            : [info('who makes a replica the primary cannot be seen from here')];
  if (byUrl.length + who.length > 0) return worst([...byUrl, ...who, ...behind]);
  return guarded === true
    ? info('/status/properties is guarded: give --druid-user and --druid-password-file')
    : skip('no master told its properties');
}

function judgeVersion({ name, state: { product, version, managed } }: AskedServer, now: number): Judgement {
  const said = `${name}: ${product}${version === '' ? '' : ` ${version}`}${managed === null ? '' : ` (${managed})`}`;
  if (!['PostgreSQL', 'MySQL', 'MariaDB'].includes(product)) {
    return info(`${said}: Druid names MySQL and PostgreSQL only`);
  }
  const end = supportEnd(product, version);
  if (end === null) return pass(said);
  if (end !== 'long ago' && Date.parse(end) >= now) return pass(`${said}, until ${end}`);
  const since = `${said}: out of support since ${end}`;
  return managed === null ? warn(since) : info(`${since} by its makers; the service may have its own dates`);
}

/** MySQLConnector.tableExists throws for another charset than UTF-8. */
function judgeCharset({ name, state: { product, charset } }: AskedServer): Judgement {
  const said = `${name}: ${charset}`;
  if (charset === '') return skip(`${name} did not tell`);
  if (product === 'PostgreSQL') return charset === 'UTF8' ? pass(said) : warn(said);
  if (charset === 'utf8mb4') return pass(said);
  return charset.startsWith('utf8') ? warn(`${said} has no signs of more than three bytes`) : fail(said);
}
