import type { MasterRole } from '../discovery/discovery.ts';
import { formatServer, parseConnectString } from '../net/connect-string.ts';
import { type Check, fail, info, type Judgement, pass, skip, warn } from './check.ts';
import type { Facts, NodeFacts, NodeProperties } from './facts.ts';
import { describeStore, type MetadataStore } from './metadata-store.ts';
import { withRole } from './node-checks.ts';
import { isMaster } from './node-facts.ts';
import { listed } from './printable.ts';

const PAGE = 'https://druid.apache.org/docs/latest/operations/high-availability';
const TYPE = 'druid.metadata.storage.type';
const URI = 'druid.metadata.storage.connector.connectURI';
const REPLICATED: readonly string[] = ['mysql', 'postgresql'];
const UNREAD = 'no ZooKeeper server could be read';

export const AVAILABILITY_CHECKS: readonly Check[] = [
  {
    id: 'ha.zookeeper',
    title: 'ZooKeeper has 3 or 5 servers',
    remedy: 'Run 3 or 5 ZooKeeper servers, on hardware of their own or on the masters.',
    source: PAGE,
    about: 'zookeeper',
    run: ({ zookeeper }) => {
      if (zookeeper === null) return skip('ZooKeeper is not used');
      const { members, servers } = zookeeper;
      if (servers.every(({ connected }) => !connected)) return skip(UNREAD);
      const voters = (members ?? []).filter(({ voter }) => voter).length;
      const count = voters > 0 ? voters : servers.length;
      const said =
        voters > 0 ? `${count} voters` : `${count} in the connect string, which tell of no ensemble`;
      // A name in the connect string may stand for several servers.
      if (count <= 2) return (members === null ? warn : fail)(`${said}: the loss of one ends elections`);
      if (count % 2 === 0) return warn(`${said}: an even number bears no more losses than one less`);
      return count <= 5 ? pass(said) : info(`${said}: more than 5 make writes slower`);
    },
  },
  {
    id: 'ha.metadata',
    title: 'The metadata store is MySQL or PostgreSQL, with replication and fail-over',
    remedy:
      'Move the metadata to MySQL or PostgreSQL with replication, and name its servers, or the address that follows the primary, in druid.metadata.storage.connector.connectURI.',
    source: PAGE,
    run: ofMasters((masters) =>
      worstStore(masters.map(({ values }) => describeStore(values[TYPE], values[URI]))),
    ),
  },
  {
    id: 'ha.coordinators',
    title: 'There are at least two Coordinators',
    remedy: 'Start a second Coordinator on another machine.',
    source: PAGE,
    run: (facts) => atLeastTwo(facts, 'coordinator'),
  },
  {
    id: 'ha.overlords',
    title: 'There are at least two Overlords',
    remedy: 'Start a second Overlord on another machine.',
    source: PAGE,
    run: (facts) => atLeastTwo(facts, 'overlord'),
  },
  {
    id: 'ha.shared',
    title: 'All masters use the same ZooKeeper and the same metadata store',
    remedy: 'Give all Coordinators and Overlords one common.runtime.properties.',
    source: PAGE,
    run: ofMasters((masters, { zookeeper }) => {
      if (masters.length === 1) return skip('one master told its properties');
      const stores = differing('metadata store', masters, ({ values }) =>
        storeText(describeStore(values[TYPE], values[URI])),
      );
      const places = [
        ...differing('ZooKeeper', masters, ({ values }) => sameServers(values['druid.zk.service.host'])),
        ...differing('base path', masters, ({ values }) => absolute(values['druid.zk.paths.base'])),
      ];
      if (stores.length + places.length === 0) return pass(`${masters.length} masters say the same`);
      const said = listed([...stores, ...places]);
      // What is announced in one ZooKeeper uses it, by whatever names.
      return stores.length === 0 && zookeeper !== null ? warn(said) : fail(said);
    }),
  },
  {
    id: 'ha.redirect',
    title: 'Masters that do not lead redirect to the one that does',
    remedy: 'Restart the master that redirects wrongly; see that all masters use one ZooKeeper.',
    source: PAGE,
    run: ({ leadership }) => {
      const followers = Object.values(leadership).flatMap(({ answers }) =>
        answers
          .filter(({ claim }) => claim === 'follows')
          .map((answer) => ({ answer, leader: leaderOf(answers) })),
      );
      if (followers.length === 0) return skip('no master follows another');
      const wrong = followers.filter(
        ({ answer, leader }) => answer.redirectsTo === null || answer.redirectsTo !== leader,
      );
      if (wrong.length === 0) return pass(`${followers.length} masters redirect to the leader`);
      return fail(
        listed(
          wrong.map(
            ({ answer, leader }) =>
              `${answer.origin} redirects to ${answer.redirectsTo ?? 'nobody'}, not to ${leader ?? 'a leader'}`,
          ),
        ),
      );
    },
  },
  {
    id: 'ha.brokers',
    title: 'There are at least two Brokers',
    remedy: 'Start a second Broker on another machine.',
    source: PAGE,
    run: (facts) => atLeastTwo(facts, 'broker'),
  },
  {
    id: 'ha.queryable',
    title: 'All running Brokers can be queried',
    remedy:
      'A Broker is not ready until it knows the segments of all Historicals: wait for its start to end, and see its log.',
    source: PAGE,
    run: ({ nodes }) => {
      const brokers = withRole(nodes, 'broker');
      if (brokers.length === 0) return skip('there is no Broker');
      const unready = brokers.filter(({ readiness }) => readiness !== 200);
      if (unready.length === 0) return pass(`${brokers.length} Brokers are ready`);
      return judgeBrokers(brokers, unready);
    },
  },
  {
    id: 'ha.balancer',
    title: 'Brokers are behind a load balancer',
    remedy: 'Let clients come by this gateway, and run two of it behind one address.',
    source: PAGE,
    run: ({ gateway, nodes }) => {
      const routers = withRole(nodes, 'router').length;
      const also = routers > 0 ? `; ${routers} Druid Routers are announced` : '';
      if (gateway.status !== null) {
        return pass(
          `${gateway.where} balances ${gateway.status.brokers.length} Brokers; whether there is a second one cannot be seen from here${also}`,
        );
      }
      return info(`no gateway runs at ${gateway.where}${also}; other balancers cannot be seen from here`);
    },
  },
];

/** Judges what masters say of their properties, or says why none did. */
function ofMasters(judge: (masters: readonly NodeProperties[], facts: Facts) => Judgement): Check['run'] {
  return (facts) => {
    const { properties, guarded } = facts;
    const masters = properties.filter(isMaster);
    if (masters.length > 0) return judge(masters, facts);
    return guarded === true
      ? info('/status/properties is guarded: give --druid-user and --druid-password-file')
      : skip('no master told its properties');
  };
}

/** Judges the gravest of the stores. */
function worstStore(stores: readonly MetadataStore[]): Judgement {
  const said = listed([...new Set(stores.map(storeText))]);
  const single = stores.find(({ type }) => !REPLICATED.includes(type));
  if (single !== undefined) {
    return single.type === 'derby'
      ? fail(`${said}: Derby lives in one place and cannot fail over`)
      : warn(`${said}: whether ${single.type} fails over is not known`);
  }
  if (stores.every(({ hosts, failsOver }) => failsOver || hosts.length > 1)) return pass(said);
  return warn(
    `${said}: one host and no fail-over driver; whether that address follows a primary cannot be seen from here`,
  );
}

function storeText({ type, shown }: MetadataStore): string {
  return shown === null ? `${type}, at an address that is not told` : `${type}, ${shown}`;
}

/** Says who has what, unless all have the same. */
function differing(
  what: string,
  masters: readonly NodeProperties[],
  of: (master: NodeProperties) => string,
): string[] {
  if (new Set(masters.map(of)).size === 1) return [];
  return [`${what}: ${listed(masters.map((master) => `${master.origin} has ${of(master)}`))}`];
}

/** The order of a connect string means nothing, nor does a port that is the usual one. */
function sameServers(connect = 'localhost'): string {
  try {
    const { servers, chroot } = parseConnectString(connect);
    const names = servers.map((server) => formatServer(server).toLowerCase());
    return `${names.toSorted().join(',')}${chroot ?? ''}`;
  } catch {
    return connect;
  }
}

/** Druid adds the slash itself (`ZKPaths.makePath`). */
function absolute(path = '/druid'): string {
  return path.startsWith('/') ? path : `/${path}`;
}

function atLeastTwo(facts: Facts, role: MasterRole | 'broker'): Judgement {
  const nodes = withRole(facts.nodes, role);
  if (facts.nodes.length === 0) return skip(facts.zookeeper?.tree === null ? UNREAD : 'no node is known');
  const said = listed(nodes.map(({ hostAndPort }) => hostAndPort));
  if (nodes.length < 2) return fail(nodes.length === 0 ? 'there is none' : `there is one: ${said}`);
  const answering = nodes.filter(({ health }) => health === 200);
  return answering.length < 2 ? fail(`${answering.length} of ${nodes.length} answer: ${said}`) : pass(said);
}

function leaderOf(answers: Facts['leadership'][MasterRole]['answers']): string | null {
  return answers.find(({ claim }) => claim === 'leads')?.origin ?? null;
}

/** One Broker that starts is no fault while others are ready. */
function judgeBrokers(brokers: readonly NodeFacts[], unready: readonly NodeFacts[]): Judgement {
  const said = listed(unready.map(({ hostAndPort, readiness }) => `${hostAndPort}: ${readiness}`));
  return unready.length === brokers.length
    ? fail(said)
    : warn(`${said} (${brokers.length - unready.length} are ready)`);
}
