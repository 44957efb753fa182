import type { State } from '../../src/admin/status.ts';
import type { DruidNode } from '../../tools/druid-cluster/druid-processes.ts';
import { waitFor } from '../../tools/druid-cluster/wait.ts';
import { BROKERS, type HaCluster, ZOOKEEPERS } from '../ha/ha-cluster.ts';

export type Master = 'coordinator' | 'overlord';

/** The cluster as the gateway in front of it sees it. */
export class Scene {
  readonly cluster: HaCluster;
  readonly #admin: string;
  readonly #signal: AbortSignal;

  /** `admin`: URL of the gateway's admin listener. What waits rejects when the signal comes. */
  constructor(cluster: HaCluster, admin: string, signal: AbortSignal) {
    this.cluster = cluster;
    this.#admin = admin;
    this.#signal = signal;
  }

  /** The master that serves as the leader. Waits until there is one. */
  async leader(role: Master): Promise<DruidNode> {
    let node: DruidNode | undefined;
    await this.until(`a leading ${role}`, ({ leaders }) => {
      const { state, node: at } = leaders[role];
      node = this.cluster.druid.nodes.find(({ port }) => at === `127.0.0.1:${port}`);
      return state === 'serving' && node !== undefined;
    });
    return node as DruidNode;
  }

  /** Waits until another master of the role serves. */
  succeeded(role: Master, former: DruidNode): Promise<void> {
    return this.until(`the next ${role}`, ({ leaders }) => {
      const { state, node } = leaders[role];
      return state === 'serving' && node !== `127.0.0.1:${former.port}`;
    });
  }

  /** Waits until so many Brokers get queries. */
  brokers(count: number): Promise<void> {
    return this.until(
      `${count} ready Brokers`,
      ({ brokers }) => brokers.filter(({ ready, ejected }) => ready && !ejected).length === count,
    );
  }

  /** Waits until everything is there and serves: a second of each that there should be two of. */
  async whole(): Promise<void> {
    const { cluster } = this;
    await cluster.ensemble.serving(ZOOKEEPERS);
    await Promise.all([this.leader('coordinator'), this.leader('overlord'), this.brokers(BROKERS)]);
    await this.until('the gateway to see ZooKeeper', ({ discovery }) => discovery.state === 'connected');
    await Promise.all([this.#bothKnow('coordinator'), this.#bothKnow('overlord')]);
  }

  /** Waits until `/status` of the gateway is so. */
  until(what: string, holds: (state: State) => boolean): Promise<void> {
    return waitFor(
      what,
      async () => {
        const answer = await fetch(`${this.#admin}/status`);
        return holds((await answer.json()) as State);
      },
      { timeoutMs: PATIENCE_MS, intervalMs: 50, signal: this.#signal },
    );
  }

  /** Both masters say that the same one leads, so both are in touch with ZooKeeper. */
  async #bothKnow(role: Master): Promise<void> {
    const path = role === 'coordinator' ? 'coordinator' : 'indexer';
    const masters = this.cluster.druid.nodes.filter((node) => node.role === role);
    await waitFor(
      `both ${role}s to know who leads`,
      async () => {
        const said = await Promise.all(
          masters.map(({ port }) => textOf(`http://127.0.0.1:${port}/druid/${path}/v1/leader`)),
        );
        return said.every((leader) => leader !== '' && leader === said[0]);
      },
      { timeoutMs: PATIENCE_MS, signal: this.#signal },
    );
  }
}

const PATIENCE_MS = 120_000;

/** Empty when there is no answer. */
async function textOf(url: string): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const text = await answer.text();
    return answer.status === 200 ? text : '';
  } catch {
    return '';
  }
}
