import { fail, info, type Judgement, pass, skip, warn } from '../check.ts';
import type { Facts } from '../facts.ts';
import { isMaster } from '../node-facts.ts';
import { listed } from '../printable.ts';
import type { AskedServer } from './asked-servers.ts';
import { type StoreUrl, splitStoreUrl } from './store-url.ts';

const TYPE = 'druid.metadata.storage.type';
const URI = 'druid.metadata.storage.connector.connectURI';
const USUAL_PORT = { postgresql: 5432, mysql: 3306 } as const;

/**
 * Compares the store that was asked with what masters say of theirs, and looks for their addresses among its
 * connections. Names may differ for one server, and connections may come by a proxy, so that neither alone proves
 * another store.
 */
export function judgeSame(servers: readonly AskedServer[], { store, properties, nodes }: Facts): Judgement {
  if (store === null) return skip('the store was not asked');
  const masters = properties.filter(isMaster);
  const other = masters.find(({ values }) => values[TYPE] !== undefined && values[TYPE] !== store.kind);
  if (other !== undefined) return fail(`${other.origin} has ${other.values[TYPE]}, not ${store.kind}`);
  const urls = masters.flatMap(({ values }) => readUrl(values[URI]) ?? []);
  const strange = urls.find(({ database }) => database !== '' && database !== store.database);
  if (strange !== undefined)
    return warn(`masters name the database ${strange.database}, not ${store.database}`);
  const named = new Set(store.servers.map(({ name }) => name.toLowerCase()));
  const known = urls
    .flatMap(({ hosts }) => hosts)
    .map(({ host, port }) =>
      `${host.includes(':') ? `[${host}]` : host}:${port ?? USUAL_PORT[store.kind]}`.toLowerCase(),
    );
  if (known.length > 0 && known.some((name) => named.has(name))) {
    return pass(`masters name ${listed([...new Set(known)])}`);
  }
  const running = nodes.filter((node) => isMaster(node) && typeof node.health === 'number');
  if (running.length === 0) return skip('no master answers');
  const clients = servers.flatMap(({ state }) => state.clients ?? []);
  const connected = running.filter(({ addresses }) =>
    addresses?.some((address) => clients.includes(address)),
  );
  const byName = known.length === 0 ? '' : `; masters name ${listed([...new Set(known)])}`;
  if (connected.length > 0)
    return pass(`${connected.length} of ${running.length} masters are connected to it${byName}`);
  const hidden = servers.every(({ state }) => state.clients === null);
  if (!hidden && clients.length === 0)
    return warn(`nobody is connected to the database, though masters run${byName}`);
  return info(
    hidden
      ? `who is connected to it is hidden from this user${byName}`
      : `connections come from other addresses than the masters have, as by a proxy${byName}`,
  );
}

function readUrl(uri: string | undefined): StoreUrl | null {
  if (uri === undefined) return null;
  try {
    return splitStoreUrl(uri);
  } catch {
    return null;
  }
}
