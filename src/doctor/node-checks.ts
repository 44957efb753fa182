import { createAddressSet } from '../net/address-set.ts';
import { parseConnectString } from '../net/connect-string.ts';
import { certificateEnds } from './certificate-judgement.ts';
import { type Check, fail, info, type Judgement, pass, skip, warn } from './check.ts';
import type { Facts, NodeFacts } from './facts.ts';
import { hostOf, NOT_ASKED } from './node-facts.ts';
import { listed } from './printable.ts';

const ROLE_NAMES = ['coordinator', 'overlord', 'broker', 'historical', 'middleManager', 'indexer', 'router'];
/** Without these no request can be answered. */
const NEEDED = ['coordinator', 'overlord', 'broker'];
const MIDDLE_MS = 2_000;
const WORST_MS = 60_000;
const DRUID_COMMON = 'https://druid.apache.org/docs/latest/configuration/#common-configurations';
const DRUID_TLS = 'https://druid.apache.org/docs/latest/operations/tls-support';
const isLoopback = createAddressSet(['127.0.0.0/8', '::1']);

/** Judges the nodes, or skips where none is known. */
function ofNodes(judge: (nodes: readonly NodeFacts[], facts: Facts) => Judgement): Check['run'] {
  return (facts) => (facts.nodes.length === 0 ? skip('no node is known') : judge(facts.nodes, facts));
}

export const NODE_CHECKS: readonly Check[] = [
  {
    id: 'node.roles',
    title: 'There are nodes of every role that a cluster needs',
    remedy:
      'Start the missing nodes, and see that they use this ZooKeeper and this base path (druid.zk.service.host, druid.zk.paths.base).',
    source: 'https://druid.apache.org/docs/latest/design/architecture',
    run: ({ nodes, zookeeper }) => {
      // That nothing is announced is for zk.path to say.
      if (zookeeper !== null && nodes.length === 0) return skip('no node is known');
      const counts = ROLE_NAMES.map((role) => ({ role, count: withRole(nodes, role).length }));
      const said = counts
        .filter(({ count }) => count > 0)
        .map(({ role, count }) => `${count} ${role}`)
        .join(', ');
      const missing = counts.filter(({ role, count }) => count === 0 && NEEDED.includes(role));
      if (missing.length === 0) return pass(said);
      return fail(`no ${missing.map(({ role }) => role).join(', no ')}; there are: ${said || 'none'}`);
    },
  },
  {
    id: 'node.allowed',
    title: 'The gateway may send requests to every announced node',
    remedy:
      'Name the networks and names of the nodes in discovery.allow, or remove znodes that are not of your cluster.',
    source: 'docs/operations.md, "Who leads, and how it is known"',
    run: ({ zookeeper, nodes }) => {
      const refused = zookeeper?.tree?.notAllowed ?? [];
      if (refused.length > 0) return warn(listed(refused));
      return nodes.length === 0 ? skip('no node is known') : pass('discovery.allow refuses none');
    },
  },
  {
    id: 'node.names',
    title: 'The names that nodes announce are known here',
    remedy:
      'Make the names resolve on this machine, or announce others (druid.host). A loopback address is reachable on its own machine only.',
    source: DRUID_COMMON,
    run: ofNodes((nodes, { zookeeper }) => {
      const unknown = nodes.filter(({ addresses }) => addresses === null);
      if (unknown.length > 0) return judged(unknown, `not known here: ${named(unknown)}`);
      const local = nodes.filter(({ origin }) => isLocal(hostOf(origin)));
      if (zookeeper !== null && local.length > 0 && !hasLocalServer(zookeeper.connect)) {
        return warn(`announce a loopback address, although ZooKeeper is elsewhere: ${named(local)}`);
      }
      return pass(`${nodes.length} nodes`);
    }),
  },
  {
    id: 'node.answers',
    title: 'Every announced node answers from here',
    remedy:
      'Open the ports of the nodes to this machine, start the nodes that are down, and see why those that answer are not healthy.',
    source: 'https://druid.apache.org/docs/latest/api-reference/service-status-api',
    run: ofNodes((nodes) => {
      const asked = nodes.filter(({ health }) => health !== NOT_ASKED);
      const ill = asked.filter(({ health }) => health !== 200);
      if (ill.length === 0) {
        const well = `${asked.length} of ${nodes.length} nodes answer /status/health with 200`;
        return asked.length === nodes.length ? pass(well) : info(`${well}; the others were not asked`);
      }
      return judged(ill, listed(ill.map(({ hostAndPort, health }) => `${hostAndPort}: ${health}`)));
    }),
  },
  {
    id: 'node.tls',
    title: 'Certificates of nodes are trusted and have the announced names',
    remedy:
      'Name the authority of the nodes in upstream.tls.caFile, and issue certificates with the names that the nodes announce.',
    source: DRUID_TLS,
    run: ofNodes((nodes) => {
      const secure = nodes.filter(({ origin }) => origin.startsWith('https:'));
      if (secure.length === 0) return info('all nodes announce plain HTTP');
      const wrong = secure.filter(({ certificate }) => (certificate?.problem ?? null) !== null);
      if (wrong.length === 0) return pass(`${secure.length} nodes with TLS`);
      return fail(listed(wrong.map((one) => `${one.hostAndPort}: ${one.certificate?.problem}`)));
    }),
  },
  {
    id: 'node.certificates',
    title: 'Certificates of nodes are valid for a month and more',
    remedy:
      'Renew the certificates; Druid reads them anew with druid.server.https.reloadSslContext, otherwise at its next start.',
    source: DRUID_TLS,
    run: ofNodes((nodes) =>
      certificateEnds(
        nodes
          .filter(({ origin }) => origin.startsWith('https:'))
          .map(({ hostAndPort, certificate }) => ({ name: hostAndPort, certificate })),
        Date.now(),
      ),
    ),
  },
  {
    id: 'node.versions',
    title: 'All nodes run one version of Druid',
    remedy: 'Finish the rolling update.',
    source: 'https://druid.apache.org/docs/latest/operations/rolling-updates',
    run: ofNodes((nodes, { guarded }) => {
      const known = nodes.filter(({ version }) => version !== null);
      if (known.length === 0) {
        const why = guarded === true ? '; give --druid-user and --druid-password-file' : '';
        return info(`no node tells its version without credentials${why}`);
      }
      const versions = [...new Set(known.map(({ version }) => version))];
      if (versions.length === 1) return pass(`${versions[0]} on ${known.length} of ${nodes.length} nodes`);
      return warn(
        listed(
          versions.map((version) => `${version}: ${named(known.filter((one) => one.version === version))}`),
        ),
      );
    }),
  },
  {
    id: 'node.clocks',
    title: 'The clocks of nodes agree with the one here',
    remedy: 'Run NTP on the nodes and on this machine.',
    source: 'RFC 9110 6.6.1: Date',
    run: ofNodes((nodes) => {
      const known = nodes.filter((one): one is NodeFacts & { clockMs: number } => one.clockMs !== null);
      if (known.length === 0) return info('no node tells its time');
      const off = known.filter(({ clockMs }) => Math.abs(clockMs) > MIDDLE_MS);
      if (off.length === 0) return pass(`${known.length} nodes are at most ${MIDDLE_MS / 1_000} s off`);
      const said = listed(
        off.map(({ hostAndPort, clockMs }) => `${hostAndPort} ${Math.round(clockMs / 1_000)} s`),
      );
      return off.some(({ clockMs }) => Math.abs(clockMs) > WORST_MS) ? fail(said) : warn(said);
    }),
  },
];

export function withRole(nodes: readonly NodeFacts[], role: string): NodeFacts[] {
  return nodes.filter(({ roles }) => roles.includes(role));
}

/** Fails where a role that the gateway sends requests to is concerned, and warns otherwise. */
function judged(bad: readonly NodeFacts[], said: string): Judgement {
  return bad.some(({ roles }) => roles.some((role) => NEEDED.includes(role))) ? fail(said) : warn(said);
}

function named(nodes: readonly NodeFacts[]): string {
  return listed(nodes.map(({ hostAndPort }) => hostAndPort));
}

function isLocal(host: string): boolean {
  return host === 'localhost' || isLoopback(host);
}

function hasLocalServer(connect: string): boolean {
  return parseConnectString(connect).servers.some(({ host }) => isLocal(host));
}
