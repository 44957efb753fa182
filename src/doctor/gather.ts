import { setTimeout as sleep } from 'node:timers/promises';
import type { NodeTls } from '../cluster/node.ts';
import { createProbeClient, type Probe } from '../cluster/probe.ts';
import type { Config } from '../config/schema.ts';
import {
  type LatchParticipant,
  MASTER_ROLES,
  type MasterRole,
  type SourceKind,
} from '../discovery/discovery.ts';
import { ReadError } from '../discovery/zookeeper/session.ts';
import { parseOrigin } from '../net/origin.ts';
import type {
  Facts,
  GatewayFacts,
  LeadershipFacts,
  NodeFacts,
  NodeProperties,
  ServerFacts,
  ZooKeeperFacts,
} from './facts.ts';
import { parseGatewayStatus } from './gateway-facts.ts';
import { askMasters, isSettled } from './leadership-facts.ts';
import { askNodes, type KnownNode, merged } from './node-facts.ts';
import { readProperties, readVersion } from './properties-facts.ts';
import {
  type AskedSource,
  addressFrom,
  askSource,
  consulFacts,
  dnsFacts,
  kubernetesFacts,
  recordedLeaders,
  type SourceTarget,
  sourceNodes,
  untilRead,
} from './source-facts.ts';
import { askStore } from './store/ask-store.ts';
import type { StoreTarget } from './store/store-target.ts';
import { type AnnouncedNode, readLatch, readTree, type Tree } from './tree-facts.ts';
import { watchLeaders } from './watch-facts.ts';
import { mapSome, within } from './within.ts';
import { type AskedServer, askServers, readMembers, type ZooKeeperTarget } from './zookeeper-facts.ts';

/** Where the status of a running gateway comes from. */
export interface GatewaySource {
  /** How it is called in the report. */
  readonly where: string;
  /** Whether the caller named it, so that it should be there. */
  readonly expected: boolean;
  /** Resolves to the body of `GET /status`. Rejects with an Error of one sentence where there is none. */
  read(): Promise<unknown>;
}

export interface GatherOptions {
  readonly config: Config;
  /** Null where ZooKeeper is not one of the sources. */
  readonly zookeeper: ZooKeeperTarget | null;
  /** The others of the configured sources, the list of the configuration aside; by default none. */
  readonly sources?: readonly SourceTarget[];
  readonly tls?: NodeTls;
  /** Credentials for what Druid guards, as headers; without any, only a cluster that guards nothing is asked for it. */
  readonly headers: Readonly<Record<string, string>>;
  /** How long the leaders are watched, in ms; 0 for not at all. */
  readonly watchMs: number;
  readonly gateway: GatewaySource;
  /** The metadata store, if it is to be asked itself. */
  readonly store: StoreTarget | null;
}

/** For each question to a node, in ms. */
const PROBE_MS = 1_500;
const MAX_BODY_BYTES = 1024 * 1024;
const TREE_MS = 3_500;
const PROPERTIES_MS = 3_000;
const GATEWAY_MS = 1_500;
const LATCH_MS = 1_000;
/** An election is over within a moment; what still contradicts itself then is reported. */
const ASK_AGAIN_MS = 1_000;
const MOST_ASKED = 3;
const ASKING_MS = 4_000;
const VERSIONS_AT_ONCE = 8;

/**
 * Collects all facts once. It changes nothing, takes at most 20 s besides `watchMs`, and rejects only with an error of
 * the gateway's own code: what cannot be reached is a fact, too.
 */
export async function gatherFacts(options: GatherOptions): Promise<Facts> {
  const { zookeeper: target, sources = [], tls } = options;
  const asking = sources.map(askSource);
  const client = createProbeClient({
    timeoutMs: PROBE_MS,
    maxBodyBytes: MAX_BODY_BYTES,
    ...(asking.length === 0 ? {} : { addressOf: (origin: string) => addressFrom(asking, origin) }),
    ...(tls === undefined ? {} : { tls }),
  });
  const asked = target === null ? [] : await askServers(target);
  try {
    return await new Gathering(options, client.probe, asked, asking).all();
  } finally {
    await Promise.all([
      client.close(),
      ...asking.map(({ discovery }) => discovery.close()),
      ...asked.map(({ session }) => session.close()),
    ]);
  }
}

/** One run, with what it holds open. */
class Gathering {
  readonly #options: GatherOptions;
  readonly #probe: Probe;
  readonly #asked: readonly AskedServer[];
  readonly #sources: readonly AskedSource[];
  /** The source that is believed. */
  #believed: SourceKind;

  constructor(
    options: GatherOptions,
    probe: Probe,
    asked: readonly AskedServer[],
    sources: readonly AskedSource[],
  ) {
    this.#options = options;
    this.#probe = probe;
    this.#asked = asked;
    this.#sources = sources;
    this.#believed = options.config.discovery.type;
  }

  async all(): Promise<Facts> {
    const { config, tls, watchMs, store: target } = this.#options;
    const asking = target === null ? null : askStore(target);
    const sources = this.#sources;
    const [tree] = await Promise.all([
      within(TREE_MS, this.#tree(), null),
      ...sources.map((source) => untilRead(source, TREE_MS)),
    ]);
    this.#believed = this.#firstRead(tree);
    const nodes = merged(this.#announced(tree));
    const watching = watchMs > 0 ? watchLeaders(watchMs, (role) => this.#leaderNow(role, nodes)) : null;
    const [zookeeper, answers, coordinator, overlord] = await Promise.all([
      this.#zookeeper(tree),
      askNodes(nodes, { probe: this.#probe, tls }),
      this.#leadership('coordinator', nodes, tree),
      this.#leadership('overlord', nodes, tree),
    ]);
    const leadership = { coordinator, overlord };
    const guarded = isGuardedCluster(Object.values(leadership));
    const [properties, versioned, gateway] = await Promise.all([
      this.#properties(answers, guarded),
      this.#versions(answers, guarded),
      this.#gateway(leadership),
    ]);
    const [watched, store] = await Promise.all([watching, asking]);
    return {
      config,
      zookeeper,
      kubernetes: kubernetesFacts(sources),
      consul: consulFacts(sources),
      dns: dnsFacts(sources),
      nodes: versioned,
      leadership,
      properties,
      guarded,
      watched,
      gateway,
      store,
    };
  }

  /** The first in the order of trust that could be read whole; if there is none, the first. */
  #firstRead(tree: Tree | null): SourceKind {
    const { type, fallback } = this.#options.config.discovery;
    const isRead = (kind: SourceKind): boolean => {
      if (kind === 'zookeeper') return tree !== null;
      return kind === 'static' || this.#asking(kind)?.discovery.snapshot.complete === true;
    };
    return [type, ...fallback].find(isRead) ?? type;
  }

  /** The nodes of the source that is believed. */
  #announced(tree: Tree | null): readonly AnnouncedNode[] {
    if (this.#believed === 'zookeeper') return tree?.nodes ?? [];
    if (this.#believed === 'static') return staticNodes(this.#options.config);
    const source = this.#asking(this.#believed);
    return source === null ? [] : sourceNodes(source);
  }

  #asking(kind: SourceKind): AskedSource | null {
    return this.#sources.find((source) => source.kind === kind) ?? null;
  }

  /** Reads by the first session that lives long enough. Never rejects. */
  async #tree(): Promise<Tree | null> {
    const { zookeeper: target } = this.#options;
    for (const { facts, session } of this.#asked) {
      if (target === null || !facts.connected) continue;
      const tree = await readTree(session, target, Date.now()).catch((error: unknown) => {
        if (!(error instanceof ReadError)) target.errors.report('discovery', error);
        return null;
      });
      if (tree !== null) return tree;
    }
    return null;
  }

  async #zookeeper(tree: Tree | null): Promise<ZooKeeperFacts | null> {
    const { zookeeper: target, config } = this.#options;
    if (target === null) return null;
    const servers: ServerFacts[] = this.#asked.map(({ facts }) => facts);
    const session = this.#asked.find(({ facts }) => facts.connected)?.session;
    return {
      connect: config.zookeeper.connect,
      requestedTimeoutMs: target.sessionTimeoutMs,
      servers,
      members: session === undefined ? null : await within(TREE_MS, readMembers(session), null),
      tree: tree?.facts ?? null,
    };
  }

  async #leadership(
    role: MasterRole,
    nodes: readonly KnownNode[],
    tree: Tree | null,
  ): Promise<LeadershipFacts> {
    const { headers } = this.#options;
    const announced = nodes.filter(({ roles }) => roles.includes(role)).map(({ origin }) => origin);
    const began = performance.now();
    let latch = this.#believed === 'zookeeper' ? (tree?.facts.latches[role] ?? null) : this.#recorded(role);
    for (let tries = 1; ; tries++) {
      const facts = await askMasters(role, announced, latch, { probe: this.#probe, headers });
      const late = performance.now() - began > ASKING_MS;
      if (tries === MOST_ASKED || late || announced.length === 0 || isSettled(facts)) return facts;
      await sleep(ASK_AGAIN_MS);
      latch = await this.#latchNow(role).catch(() => latch);
    }
  }

  #recorded(role: MasterRole): readonly LatchParticipant[] | null {
    const source = this.#asking(this.#believed);
    return source === null ? null : recordedLeaders(source, role);
  }

  async #latchNow(role: MasterRole): Promise<readonly LatchParticipant[] | null> {
    if (this.#believed !== 'zookeeper') return this.#recorded(role);
    const { zookeeper: target } = this.#options;
    const session = this.#asked.find(({ session }) => session.status.state === 'connected')?.session;
    if (target === null || session === undefined) return null;
    return within(LATCH_MS, readLatch(session, target, role), null);
  }

  /** Who leads by the latch, or by its own word where there is no latch; null if that is not known. */
  async #leaderNow(role: MasterRole, nodes: readonly KnownNode[]): Promise<string | null> {
    const first = (await this.#latchNow(role))?.[0];
    if (first !== undefined) return `${first.origin} ${first.sequence}`;
    if (this.#believed !== 'static' && this.#believed !== 'dns') return null;
    const announced = nodes.filter(({ roles }) => roles.includes(role)).map(({ origin }) => origin);
    const { answers } = await askMasters(role, announced, null, { probe: this.#probe, headers: {} });
    return answers.find(({ claim }) => claim === 'leads')?.origin ?? null;
  }

  /** Whether what Druid guards may be asked: with credentials, or where nothing is guarded. */
  #mayAsk(guarded: boolean | null): boolean {
    return guarded === false || Object.keys(this.#options.headers).length > 0;
  }

  async #properties(nodes: readonly NodeFacts[], guarded: boolean | null): Promise<NodeProperties[]> {
    if (!this.#mayAsk(guarded)) return [];
    return within(PROPERTIES_MS, readProperties(nodes, this.#probe, this.#options.headers), []);
  }

  async #versions(nodes: readonly NodeFacts[], guarded: boolean | null): Promise<readonly NodeFacts[]> {
    if (!this.#mayAsk(guarded)) return nodes;
    const asking = mapSome(nodes, VERSIONS_AT_ONCE, async (node) => {
      if (node.version !== null || typeof node.health !== 'number') return node;
      return { ...node, version: await readVersion(node.origin, this.#probe, this.#options.headers) };
    });
    return within(PROPERTIES_MS, asking, nodes);
  }

  /** Asks once more where the gateway names another leader: it may be about to hear of an election. */
  async #gateway(leadership: Readonly<Record<MasterRole, LeadershipFacts>>): Promise<GatewayFacts> {
    const first = await this.#askGateway();
    const agrees = MASTER_ROLES.every((role) => {
      const origin = leadership[role].latch?.[0]?.origin ?? null;
      const node = first.status?.leaders[role].node ?? null;
      return origin === null || (node !== null && origin.endsWith(`//${node}`));
    });
    if (first.status === null || agrees) return first;
    await sleep(ASK_AGAIN_MS);
    return this.#askGateway();
  }

  async #askGateway(): Promise<GatewayFacts> {
    const { where, expected, read } = this.#options.gateway;
    try {
      const body = await within(GATEWAY_MS, read(), null);
      const status = parseGatewayStatus(body);
      return { where, expected, status, detail: status === null ? 'its answer is no status' : null };
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      return { where, expected, status: null, detail };
    }
  }
}

/** Null: no master said. */
function isGuardedCluster(leadership: readonly LeadershipFacts[]): boolean | null {
  const kinds = leadership.flatMap(({ answers }) => answers.map(({ leader }) => leader.kind));
  if (kinds.includes('guarded')) return true;
  return kinds.some((kind) => kind === 'named' || kind === 'none') ? false : null;
}

/** The nodes that the configuration names. */
function staticNodes({ static: nodes }: Config): AnnouncedNode[] {
  return [
    ...nodes.coordinators.map((url) => staticNode('coordinator', url)),
    ...nodes.overlords.map((url) => staticNode('overlord', url)),
    ...nodes.brokers.map(({ url, service }) => staticNode('broker', url, service)),
  ];
}

/** The configuration has checked that each is a node's URL. */
function staticNode(role: string, url: string, service = `druid/${role}`): AnnouncedNode {
  const origin = parseOrigin(url) ?? url;
  return { role, origin, hostAndPort: origin.slice(origin.indexOf('//') + 2), service, version: null };
}
