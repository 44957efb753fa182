import type { Probe, ProbeAnswer } from '../cluster/probe.ts';
import type { NodeFacts, NodeProperties } from './facts.ts';
import { isGuarded } from './leadership-facts.ts';
import { isMaster } from './node-facts.ts';
import { mapSome } from './within.ts';

/** Nodes whose properties are read: masters, and one Broker for the limits of its server. */
const MOST_NODES = 12;
const AT_ONCE = 4;
/** What is kept of them: nothing in which a secret is to be expected but the URL of the store, which no check shows. */
const WANTED =
  /^druid\.(?:zk\.(?:service\.(?:host|sessionTimeoutMs|acl|compress)|paths\.base)|metadata\.(?:storage\.(?:type|connector\.connectURI|tables\.(?:base|segments|rules|config|tasks|taskLock))|postgres\.dbTableSchema)|server\.http\.(?:maxIdleTime|defaultQueryTimeout)|coordinator\.asOverlord\.enabled)$/;

/**
 * Reads `/status/properties` of the masters and one Broker. It is guarded on a secured cluster, so the caller says
 * by `headers` with what credentials. Never rejects; leaves out nodes that do not answer with it.
 */
export async function readProperties(
  nodes: readonly NodeFacts[],
  probe: Probe,
  headers: Readonly<Record<string, string>>,
): Promise<NodeProperties[]> {
  const answering = nodes.filter(({ health }) => typeof health === 'number');
  const masters = answering.filter(isMaster);
  const broker = answering.find(({ roles }) => roles.includes('broker'));
  const asked = [...masters.slice(0, MOST_NODES), ...(broker === undefined ? [] : [broker])];
  const read = await mapSome(asked, AT_ONCE, async ({ origin, roles }) => {
    const values = parseProperties(await probe(origin, '/status/properties', headers));
    return values === null ? null : { origin, roles, values };
  });
  return read.filter((one) => one !== null);
}

/** Reads the wanted ones of a flat map in JSON. */
function parseProperties(answer: ProbeAnswer): Record<string, string> | null {
  if (answer.kind !== 'answer' || answer.status !== 200) return null;
  const value = parsed(answer.body);
  if (value === null) return null;
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => {
      const [key, text] = entry;
      return WANTED.test(key) && typeof text === 'string' && text.length <= 2_000;
    }),
  );
}

/** Reads the version of a node that did not announce it: `/status`, which is guarded, too. */
export async function readVersion(
  origin: string,
  probe: Probe,
  headers: Readonly<Record<string, string>>,
): Promise<string | null> {
  const answer = await probe(origin, '/status', headers);
  if (answer.kind !== 'answer' || answer.status !== 200 || isGuarded(answer)) return null;
  const version = parsed(answer.body)?.version;
  return typeof version === 'string' && version !== '' && version.length <= 64 ? version : null;
}

function parsed(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
