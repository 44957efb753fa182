import { formatDuration } from '../config/units.ts';
import { certificateJudgement } from './certificate-judgement.ts';
import { type Check, fail, info, type Judgement, pass, skip, warn } from './check.ts';
import type { Facts, Member, ServerFacts, TreeFacts, ZooKeeperFacts } from './facts.ts';
import { listed } from './printable.ts';

const ADMIN_GUIDE = 'https://zookeeper.apache.org/doc/current/zookeeperAdmin.html';
const DRUID_CONFIGURATION = 'https://druid.apache.org/docs/latest/configuration/#zookeeper';
/** A clock that is further ahead than this confuses whoever compares times, in ms. */
const MOST_AHEAD_MS = 5_000;
/** An announcement, in contrast to a folder of them and to a latch. */
const ENTRY = /\/internal-discovery\/[^/]+\/[^/]+$/;
const UNREAD = 'no ZooKeeper server could be read';

/** Judges ZooKeeper; it is not asked where it is not used. */
function ofZooKeeper(judge: (zookeeper: ZooKeeperFacts, facts: Facts) => Judgement): Check['run'] {
  return (facts) =>
    facts.zookeeper === null ? skip('ZooKeeper is not used') : judge(facts.zookeeper, facts);
}

/** Judges what is kept in ZooKeeper, or skips where it could not be read. */
function ofTree(judge: (tree: TreeFacts, facts: Facts) => Judgement): Check['run'] {
  return ofZooKeeper(({ tree }, facts) => (tree === null ? skip(UNREAD) : judge(tree, facts)));
}

export const ZOOKEEPER_CHECKS: readonly Check[] = [
  {
    id: 'zk.servers',
    title: 'Each ZooKeeper server of the connect string gives a session',
    remedy:
      'Start the servers that do not answer, open their ports to this machine, or correct zookeeper.connect (druid.zk.service.host).',
    source: ADMIN_GUIDE,
    run: ofZooKeeper(({ servers }) => {
      const down = servers.filter(({ connected }) => !connected);
      if (down.length === 0) return pass(listed(servers.map(({ name }) => `${name} answers`)));
      const said = listed(down.map(whyDown));
      return down.length === servers.length
        ? fail(said)
        : warn(`${said} (${servers.length - down.length} of ${servers.length} answer)`);
    }),
  },
  {
    id: 'zk.ensemble',
    title: 'The ensemble has a quorum, and the connect string names its members',
    remedy:
      'Bring back the voters that are missing; name every voter in zookeeper.connect and in druid.zk.service.host.',
    source: ADMIN_GUIDE,
    run: ofZooKeeper(judgeEnsemble),
  },
  {
    id: 'zk.session',
    title: 'ZooKeeper grants the session timeout that is asked for',
    remedy:
      'Raise maxSessionTimeout (20 ticks by default) or lower minSessionTimeout on the servers, or ask for what they grant: zookeeper.sessionTimeout, druid.zk.service.sessionTimeoutMs.',
    source: ADMIN_GUIDE,
    run: ofZooKeeper(({ servers, requestedTimeoutMs }) => {
      const granted = [...new Set(servers.map(({ grantedTimeoutMs }) => grantedTimeoutMs))].filter(
        (ms) => ms !== null,
      );
      if (granted.length === 0) return skip('there is no session');
      const asked = formatDuration(requestedTimeoutMs);
      const said = `asked for ${asked}, granted ${granted.map(formatDuration).join(' and ')}`;
      return granted.length === 1 && granted[0] === requestedTimeoutMs ? pass(said) : warn(said);
    }),
  },
  {
    id: 'zk.tls',
    title: 'TLS to ZooKeeper is trusted, for the right name, and stays valid',
    remedy:
      'Renew the certificate of the server, name its authority in zookeeper.tls.caFile, or its name in zookeeper.tls.serverName.',
    source: ADMIN_GUIDE,
    run: ofZooKeeper(({ servers }, { config }) => {
      if (config.zookeeper.tls === undefined)
        return info(
          'zookeeper.tls is not set: what is said with ZooKeeper can be read and changed on the way',
        );
      return certificateJudgement(
        servers.map(({ name, certificate }) => ({ name, certificate })),
        Date.now(),
      );
    }),
  },
  {
    id: 'zk.access',
    title: 'Everything that Druid keeps in ZooKeeper may be read with these credentials',
    remedy:
      'Give the user and the password with which Druid writes (druid.zk.service.user, druid.zk.service.pwd) as zookeeper.auth.',
    source: DRUID_CONFIGURATION,
    run: ofTree(({ refused, open }, { config }) => {
      if (refused.length > 0) {
        const as =
          config.zookeeper.auth === undefined ? 'without zookeeper.auth' : `as ${config.zookeeper.auth.user}`;
        return fail(`may not be read ${as}: ${listed(refused)}`);
      }
      if (open === true)
        return info(
          'all can be read; everybody who reaches ZooKeeper can also change it (druid.zk.service.acl is false)',
        );
      return pass(open === false ? 'all can be read, and only some may change it' : 'all can be read');
    }),
  },
  {
    id: 'zk.path',
    title: "Druid's nodes and latches are where the configuration looks",
    remedy:
      'Set zookeeper.basePath to druid.zk.paths.base, zookeeper.coordinatorPath to druid.zk.paths.coordinatorPath, and give zookeeper.connect the chroot of druid.zk.service.host.',
    source: DRUID_CONFIGURATION,
    run: ofTree(judgePath),
  },
  {
    id: 'zk.compression',
    title: 'Announcements can be read, compressed or not',
    remedy: 'Remove the znodes that Druid did not write; run one version of Druid.',
    source: 'Druid: PotentiallyGzippedCompressionProvider, druid.zk.service.compress',
    run: ofTree(({ gzip, plain, unreadable }) => {
      if (unreadable.length > 0) return fail(listed(unreadable));
      if (gzip + plain === 0) return skip('nothing is announced');
      const said = `${gzip} compressed, ${plain} plain`;
      return gzip > 0 && plain > 0 ? info(`${said}: nodes differ, which Druid can read`) : pass(said);
    }),
  },
  {
    id: 'zk.clock',
    title: "ZooKeeper's clock is not ahead of the one here",
    remedy: 'Run NTP on the ZooKeeper servers and on this machine.',
    source: 'ZooKeeper: Stat.ctime is by the clock of the leader',
    run: ofTree(({ aheadMs, gzip, plain }) => {
      if (gzip + plain === 0) return skip('there is no znode of which to read the time');
      if (aheadMs > MOST_AHEAD_MS) return warn(`a znode was made ${formatSeconds(aheadMs)} in the future`);
      return pass('no znode is of the future; a clock that is behind cannot be seen');
    }),
  },
];

function whyDown({ name, detail, serves }: ServerFacts): string {
  // The session's own sentences begin with the server's name.
  const why = (detail ?? 'no session').replace(`${name}: `, '').replace(`${name} `, '');
  return `${name}: ${serves === false ? `it does not serve, as it has no quorum (${why})` : why}`;
}

function judgeEnsemble({ servers, members }: ZooKeeperFacts): Judgement {
  const serving = servers.filter(({ connected }) => connected);
  const idle = servers.filter(({ serves }) => serves === false);
  if (serving.length === 0) {
    if (idle.length > 0)
      return fail(`no quorum: ${listed(idle.map(({ name }) => name))} run and do not serve`);
    return skip(UNREAD);
  }
  const modes = listed(servers.map(({ name, mode }) => `${name} ${mode ?? 'does not say what it is'}`));
  if (members === null) return info(`the members are not told (/zookeeper/config cannot be read): ${modes}`);
  if (members.length === 0) {
    if (servers.length === 1) return pass(`one server that is in no ensemble: ${modes}`);
    if (servers.every(({ mode }) => mode === 'standalone')) {
      return fail(`servers that know nothing of each other: ${modes}`);
    }
    return info(`the servers tell of no ensemble: ${modes}`);
  }
  return judgeMembers(members, servers, modes);
}

function judgeMembers(members: readonly Member[], servers: readonly ServerFacts[], modes: string): Judgement {
  const voters = members.filter(({ voter }) => voter);
  const quorum = Math.floor(voters.length / 2) + 1;
  const said = `${voters.length} voters, quorum ${quorum}, ${members.length - voters.length} observers: ${modes}`;
  const down = servers.filter(({ connected }) => !connected).length;
  if (down > 0) {
    const spare = voters.length - quorum - down;
    return warn(`${said}; ${spare > 0 ? `${spare} more may fail` : 'no further one may fail'}`);
  }
  if (servers.length < voters.length) {
    return warn(`${said}; the connect string names ${servers.length} of ${members.length} members`);
  }
  return pass(said);
}

function judgePath(tree: TreeFacts, { config }: Facts): Judgement {
  const { basePath, baseExists, folders, latches, nearMisses, refused } = tree;
  const near = nearMisses.length === 0 ? '' : `; what looks like Druid's is at ${listed(nearMisses)}`;
  if (!baseExists) return fail(`${basePath} does not exist${near}`);
  if (refused.some((path) => !ENTRY.test(path))) return skip('not all of it may be read, as zk.access tells');
  if (folders.length === 0) return fail(`${basePath} has no announcements of nodes${near}`);
  if (latches.coordinator === null) {
    const { coordinatorPath } = config.zookeeper;
    return fail(`there is no latch of Coordinators in ${coordinatorPath}${near}`);
  }
  if (latches.overlord === null) return fail(`there is no latch of Overlords in ${basePath}/overlord`);
  return pass(`${basePath} has announcements of ${listed(folders, 7)} and both latches`);
}

function formatSeconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
