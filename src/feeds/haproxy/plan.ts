import type { HaproxyServer, ServerState } from './servers.ts';

/** Where a server has to be. */
export interface Place {
  /** An IP address. */
  readonly address: string;
  readonly port: number;
}

/** A Broker as a server of a backend. */
export interface WantedServer {
  readonly name: string;
  /** Null if the host cannot be resolved: a server that is there keeps its address. */
  readonly address: string | null;
  readonly port: number;
  /** 1 to 100. */
  readonly weight: number;
  readonly state: ServerState;
}

/** The names of servers that the feed makes in a backend of Brokers begin so. Others are left alone. */
export const OWN_PREFIX = 'druid_';
/** The names of servers that a leader may be put in: `server-template leader 2 ...` makes leader1 and leader2. */
const SLOT = /^leader\d+$/;

/** The name of the server for a node, from its `host:port`. */
export function serverName(node: string): string {
  return OWN_PREFIX + node.replace(/[^A-Za-z0-9_.:-]/g, '_');
}

/**
 * Plans how a backend gets to its leader, or to none, in commands of HAProxy's runtime API. Another leader goes into a slot
 * that is out of use: it is ready before the former one is not, and what still runs at that one is cut, since its clients
 * would wait for a node that leads no more. A leader that only stops serving for a moment loses nothing.
 *
 * Throws an Error of one sentence if the backend has fewer than two slots.
 */
export function planLeader(
  backend: string,
  servers: readonly HaproxyServer[],
  leader: Place | null,
): string[] {
  const slots = servers.filter(({ name }) => SLOT.test(name));
  if (slots.length < 2) {
    throw new Error(
      `backend ${backend} has no servers leader1 and leader2; docs/view.md has the line for them`,
    );
  }
  const rest = (slot: HaproxyServer | undefined): string[] =>
    slots
      .filter((other) => other !== slot && other.state !== 'maint')
      .map((other) => stateOf(backend, other, 'maint'));
  if (leader === null) return rest(undefined);
  const isThere = (slot: HaproxyServer): boolean =>
    slot.address === leader.address && slot.port === leader.port;
  const there = slots.find((slot) => isThere(slot) && slot.state === 'ready') ?? slots.find(isThere);
  if (there !== undefined) {
    const ready = there.state === 'ready' ? [] : [stateOf(backend, there, 'ready')];
    return [...ready, ...rest(there)];
  }
  const slot = slots.find(({ state }) => state === 'maint') ?? slots[0];
  if (slot === undefined) return [];
  const others = slots.filter((other) => other !== slot);
  return [
    addressOf(backend, slot.name, leader),
    stateOf(backend, slot, 'ready'),
    ...rest(slot),
    ...others.map((other) => `shutdown sessions server ${backend}/${other.name}`),
  ];
}

/**
 * Plans how a backend gets to these Brokers. A server that is not wanted any more goes into maintenance, and is deleted by
 * a later plan: HAProxy refuses that while it has connections, also idle ones. `words` are what `add server` says of
 * each server besides address and weight.
 */
export function planBrokers(
  backend: string,
  servers: readonly HaproxyServer[],
  wanted: readonly WantedServer[],
  words: string,
): string[] {
  const present = new Map(servers.map((server) => [server.name, server]));
  const names = new Set(wanted.map(({ name }) => name));
  const commands: string[] = [];
  for (const server of wanted) {
    const { name, address, port, weight, state } = server;
    const known = present.get(name);
    if (known === undefined) {
      // One that gets nothing need not be there. A new server is in maintenance.
      if (state === 'maint' || address === null) continue;
      // HAProxy takes what follows the last colon for the port.
      const place = `${address}:${port} weight ${weight}`;
      commands.push(`add server ${backend}/${name} ${place}${words === '' ? '' : ` ${words}`}`);
      if (hasChecks(words)) commands.push(`enable health ${backend}/${name}`);
      commands.push(stateOf(backend, server, state));
      continue;
    }
    if (address !== null && (known.address !== address || known.port !== port)) {
      commands.push(addressOf(backend, name, { address, port }));
    }
    if (known.weight !== weight && state !== 'maint')
      commands.push(`set server ${backend}/${name} weight ${weight}`);
    if (known.state !== state) commands.push(stateOf(backend, server, state));
  }
  for (const { name, state } of servers) {
    if (!name.startsWith(OWN_PREFIX) || names.has(name)) continue;
    commands.push(state === 'maint' ? `del server ${backend}/${name}` : stateOf(backend, { name }, 'maint'));
  }
  return commands;
}

function stateOf(backend: string, { name }: { readonly name: string }, state: ServerState): string {
  return `set server ${backend}/${name} state ${state}`;
}

function addressOf(backend: string, name: string, { address, port }: Place): string {
  return `set server ${backend}/${name} addr ${address} port ${port}`;
}

/** Checks of a new server stand still until they are enabled. */
function hasChecks(words: string): boolean {
  return words.split(' ').includes('check');
}

/** Longest line of commands, in characters: HAProxy reads a line into one buffer (`tune.bufsize`, 16 KiB). */
const LONGEST_LINE = 8_000;

/** Joins commands into lines that HAProxy takes at once, in their order. */
export function linesOf(commands: readonly string[]): string[] {
  const lines: string[] = [];
  let line = '';
  for (const command of commands) {
    if (line !== '' && line.length + command.length > LONGEST_LINE) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? command : `; ${command}`;
  }
  return line === '' ? lines : [...lines, line];
}
