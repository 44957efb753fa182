import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { NodeTls } from '../cluster/node.ts';
import type { Probe, ProbeAnswer } from '../cluster/probe.ts';
import { withoutBrackets } from '../net/host-port.ts';
import { inspectCertificate } from './certificate.ts';
import type { CertificateFacts, NodeFacts } from './facts.ts';
import type { AnnouncedNode } from './tree-facts.ts';
import { mapSome, within } from './within.ts';

export interface NodeQuestions {
  readonly probe: Probe;
  readonly tls: NodeTls | undefined;
}

const LOOKUP_MS = 1_500;
const CERTIFICATE_MS = 1_500;
const AT_ONCE = 16;
/** An answer that took longer, in ms, is asked for again. */
const SLOW_MS = 100;
const MOST_TRIES = 2;
/** Time in ms after which no further node is asked. */
const ASKING_MS = 3_500;
/** Nodes that are asked, masters and Brokers first. */
const MOST_NODES = 200;
/** In place of an answer of a node that was one too many, or that time did not suffice for. */
export const NOT_ASKED = 'not asked';
const FIRST: readonly string[] = ['coordinator', 'overlord', 'broker'];

/** One node with all the roles in which it announces itself. */
export interface KnownNode extends Omit<AnnouncedNode, 'role'> {
  readonly roles: readonly string[];
}

/** Whether a node is a Coordinator, an Overlord, or both. */
export function isMaster({ roles }: Pick<KnownNode, 'roles'>): boolean {
  return roles.includes('coordinator') || roles.includes('overlord');
}

/** Merges the announcements of each node, masters and Brokers first. */
export function merged(announced: readonly AnnouncedNode[]): KnownNode[] {
  const byOrigin = new Map<string, KnownNode>();
  for (const { role, ...node } of announced) {
    const known = byOrigin.get(node.origin);
    byOrigin.set(node.origin, { ...(known ?? node), roles: [...(known?.roles ?? []), role] });
  }
  const isFirst = ({ roles }: KnownNode): boolean => roles.some((role) => FIRST.includes(role));
  const all = [...byOrigin.values()];
  return [...all.filter(isFirst), ...all.filter((node) => !isFirst(node))];
}

/** Asks the nodes what anybody may ask: `/status/health`, and `readiness` of Brokers. Never rejects. */
export function askNodes(nodes: readonly KnownNode[], questions: NodeQuestions): Promise<NodeFacts[]> {
  const end = performance.now() + ASKING_MS;
  const asked = new Set(nodes.slice(0, MOST_NODES));
  return mapSome(nodes, AT_ONCE, async (node) =>
    asked.has(node) && performance.now() < end ? askNode(node, questions) : unasked(node),
  );
}

function unasked({ origin, hostAndPort, service, version, roles }: KnownNode): NodeFacts {
  return {
    ...{ origin, hostAndPort, service, version, roles },
    addresses: [],
    health: NOT_ASKED,
    latencyMs: null,
    clockMs: null,
    certificate: null,
    readiness: roles.includes('broker') ? NOT_ASKED : null,
  };
}

async function askNode(node: KnownNode, { probe, tls }: NodeQuestions): Promise<NodeFacts> {
  const { origin, hostAndPort, service, version, roles } = node;
  const addresses = node.address === undefined ? await addressesOf(origin) : [node.address];
  const reachable = addresses !== null;
  const [health, readiness, certificate] = await Promise.all([
    reachable ? quickest(() => probe(origin, '/status/health')) : null,
    reachable && roles.includes('broker') ? probe(origin, '/druid/broker/v1/readiness') : null,
    reachable ? certificateOf(node, tls) : null,
  ]);
  const answer = health?.answer ?? null;
  return {
    roles,
    origin,
    hostAndPort,
    service,
    version,
    addresses,
    health: answer === null ? 'its name is not known here' : outcome(answer),
    latencyMs: health?.answer.kind === 'answer' ? health.ms : null,
    clockMs: health === null ? null : clockOf(health),
    certificate,
    readiness: !roles.includes('broker') ? null : readiness === null ? NOT_ASKED : outcome(readiness),
  };
}

/** The status of an answer, or why there is none. */
export function outcome(answer: ProbeAnswer): number | string {
  if (answer.kind === 'answer') return answer.status;
  if (answer.kind === 'silent') return 'no answer';
  return answer.why ?? 'no connection';
}

interface Timed {
  readonly answer: ProbeAnswer;
  /** When it was asked, in epoch milliseconds. */
  readonly asked: number;
  readonly ms: number;
}

/** Asks again where an answer took long: the first one has to wait for a connection, and for code that is cold. */
async function quickest(ask: () => Promise<ProbeAnswer>): Promise<Timed> {
  let best = await timed(ask);
  for (let tries = 1; tries < MOST_TRIES && best.ms > SLOW_MS && best.answer.kind === 'answer'; tries++) {
    const next = await timed(ask);
    if (next.answer.kind === 'answer' && next.ms < best.ms) best = next;
  }
  return best;
}

async function timed(ask: () => Promise<ProbeAnswer>): Promise<Timed> {
  const asked = Date.now();
  const began = performance.now();
  const answer = await ask();
  return { answer, asked, ms: Math.round(performance.now() - began) };
}

/** `Date` is cut to the second, so the node's clock is up to a second further than it says. */
function clockOf({ answer, asked, ms }: Timed): number | null {
  if (answer.kind !== 'answer') return null;
  const told = Date.parse(String(answer.headers?.date ?? ''));
  if (Number.isNaN(told)) return null;
  const then = asked + ms / 2;
  if (then < told) return told - then;
  return Math.min(0, told + 1_000 - then);
}

async function addressesOf(origin: string): Promise<string[] | null> {
  const host = hostOf(origin);
  if (isIP(host) !== 0) return [host];
  try {
    const found = await within(LOOKUP_MS, lookup(host, { all: true }), []);
    return found.length === 0 ? null : found.map(({ address }) => address);
  } catch {
    return null;
  }
}

async function certificateOf(
  { origin, address }: KnownNode,
  tls: NodeTls | undefined,
): Promise<CertificateFacts | null> {
  if (!origin.startsWith('https:')) return null;
  const { port } = new URL(origin);
  const host = hostOf(origin);
  const target = {
    host: address ?? host,
    port: Number(port === '' ? 443 : port),
    tls: tls ?? {},
    ...(address === undefined ? {} : { servername: host }),
  };
  return inspectCertificate(target, CERTIFICATE_MS);
}

/** The host of an origin, IPv6 without brackets. */
export function hostOf(origin: string): string {
  return withoutBrackets(new URL(origin).hostname);
}
