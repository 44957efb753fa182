import { gzipSync } from 'node:zlib';
import { type Client, CreateMode } from 'node-zookeeper-client';
import type { Writer } from '../../test/kit/zookeeper/zookeeper-writer.ts';

/** Requests that are under way at once. */
const TOGETHER = 100;
/** How often the changes of a rate are made, in ms. */
const BEAT_MS = 20;

/** A Broker by its host; its port is Druid's. */
export interface Announced {
  readonly host: string;
  readonly port: number;
}

/** A host as long as those of a large installation: 35 characters with the port. */
export function brokerHost(i: number): string {
  return `druid-broker-${String(i).padStart(6, '0')}.example.com`;
}

/** What `CuratorDruidNodeAnnouncer` writes of a Broker of version 33, compressed as by default. */
export function announcement({ host, port }: Announced, nodeType = 'broker'): Buffer {
  const druidNode = {
    service: `druid/${nodeType}`,
    host,
    bindOnHost: false,
    plaintextPort: port,
    port: -1,
    tlsPort: -1,
    enablePlaintextPort: true,
    enableTlsPort: false,
  };
  const services = { lookupNodeService: { type: 'lookupNodeService', lookupTier: '__default' } };
  return gzipSync(JSON.stringify({ druidNode, nodeType, services, startTime: '2026-01-01T00:00:00.000Z' }));
}

/** Announces and takes back Brokers, many at a time, below one folder that is there. */
export class Announcer {
  readonly #client: Client;
  readonly #folder: string;
  readonly #hostOf: (i: number) => string;
  /** Above all numbers of Brokers that are announced beforehand. */
  #next = 20_000;

  /** `hostOf`: the hosts of Brokers that come. */
  constructor(writer: Writer, folder: string, hostOf = brokerHost) {
    this.#client = writer.client;
    this.#folder = folder;
    this.#hostOf = hostOf;
  }

  add(broker: Announced): Promise<void> {
    const path = this.#pathOf(broker);
    const data = announcement(broker);
    return settled((done) => this.#client.create(path, data, CreateMode.EPHEMERAL, done));
  }

  remove(broker: Announced): Promise<void> {
    return settled((done) => this.#client.remove(this.#pathOf(broker), -1, done));
  }

  async addAll(brokers: readonly Announced[]): Promise<void> {
    for (let i = 0; i < brokers.length; i += TOGETHER) {
      await Promise.all(brokers.slice(i, i + TOGETHER).map((broker) => this.add(broker)));
    }
  }

  /**
   * Makes so many changes a second: by turns the first of `brokers` goes and one that was never there comes, as in a rolling
   * deployment. `brokers` is changed with it. The returned function ends that and tells how many changes there were.
   */
  churn(brokers: Announced[], perSecond: number): () => Promise<number> {
    const began = performance.now();
    const under: Promise<void>[] = [];
    let changes = 0;
    const change = (): void => {
      const first = changes % 2 === 0 ? brokers.shift() : undefined;
      if (first !== undefined) under.push(this.remove(first));
      else {
        const one = { host: this.#hostOf(this.#next++), port: brokers[0]?.port ?? 0 };
        brokers.push(one);
        under.push(this.add(one));
      }
      changes++;
    };
    const timer = setInterval(() => {
      const due = ((performance.now() - began) * perSecond) / 1_000;
      while (changes < due) change();
    }, BEAT_MS);
    return async () => {
      clearInterval(timer);
      if (changes % 2 === 1) change();
      await Promise.all(under);
      return changes;
    };
  }

  #pathOf({ host, port }: Announced): string {
    return `${this.#folder}/${host}:${port}`;
  }
}

function settled(call: (done: (error: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error ? reject(new Error(String(error))) : resolve()));
  });
}
