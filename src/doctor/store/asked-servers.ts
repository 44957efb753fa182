import type { StoreFacts, StoreServerFacts, StoreState } from './store-facts.ts';

/** A server that answered. */
export interface AskedServer extends StoreServerFacts {
  readonly state: StoreState;
}

/** Returns the servers that answered; of several names of one server, the first. */
export function asked({ servers }: StoreFacts): AskedServer[] {
  const seen = new Set<string>();
  return servers.filter((server): server is AskedServer => {
    if (server.state === null) return false;
    const { instance } = server.state;
    if (instance === null) return true;
    const isNew = !seen.has(instance);
    seen.add(instance);
    return isNew;
  });
}
