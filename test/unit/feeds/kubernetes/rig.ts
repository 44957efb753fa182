import { expect, vi } from 'vitest';
import type { UpstreamNode } from '../../../../src/cluster/node.ts';
import type { MasterRole } from '../../../../src/discovery/discovery.ts';
import { ApiError, type ApiTarget, createHttpApi } from '../../../../src/discovery/http-api.ts';
import { type Fields, fieldOf, textAt } from '../../../../src/discovery/json-fields.ts';
import { Addresses, type Lookup } from '../../../../src/feeds/addresses.ts';
import { KubernetesFeed, type KubernetesFeedOptions } from '../../../../src/feeds/kubernetes/feed.ts';
import {
  type ApiObjects,
  createApiObjects,
  type ObjectKind,
} from '../../../../src/feeds/kubernetes/objects.ts';
import { PublishedView } from '../../../../src/feeds/published-view.ts';
import { type RecordedErrors, recordErrors } from '../../../kit/gateway/recorded-errors.ts';
import { FakeCluster, FakeDiscovery, leaderless, serving } from '../../admin/fakes.ts';

/** Waits for something that happens within milliseconds, on a slow machine too. */
export const soon = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 20_000, interval: 10 });

/** Times of a Lease that is not lost, however slow the machine is. */
export const LASTING = { leaseMs: 60_000, renewMs: 50_000, retryMs: 60 } as const;
/** Those of one that is soon free, in the same proportions as the defaults. */
export const SHORT = { leaseMs: 1_000, renewMs: 650, retryMs: 60 } as const;

const NEVER = new AbortController().signal;

/** An API server, a fake or a real one, in whose namespace nothing is at the beginning. */
export interface SlicesApi {
  readonly target: ApiTarget;
  readonly namespace: string;
}

/** Objects as they are stored now, asked over HTTP. */
export class Stored {
  readonly objects: ApiObjects;

  constructor({ target, namespace }: SlicesApi) {
    this.objects = createApiObjects(createHttpApi(target), namespace);
  }

  get(kind: ObjectKind, name: string): Promise<Fields | null> {
    return this.objects.get(kind, name, 5_000, NEVER);
  }

  put(kind: ObjectKind, object: Fields): Promise<Fields> {
    const name = textAt(object, 'metadata', 'name');
    return this.objects.update(kind, name, object, 5_000, NEVER);
  }

  create(kind: ObjectKind, object: Fields): Promise<Fields> {
    return this.objects.create(kind, object, 5_000, NEVER);
  }

  async version(name: string): Promise<string> {
    return textAt(await this.get('EndpointSlice', name), 'metadata', 'resourceVersion');
  }

  async holder(lease = 'c-endpoints'): Promise<string> {
    return textAt(await this.get('Lease', lease), 'spec', 'holderIdentity');
  }

  /** `address:port`; empty for no endpoint, null for no slice. */
  async endpoint(name: string): Promise<string | null> {
    const slice = await this.get('EndpointSlice', name);
    if (slice === null) return null;
    const [endpoint] = (slice.endpoints ?? []) as Fields[];
    if (endpoint === undefined) return '';
    const [address] = endpoint.addresses as string[];
    const [port] = slice.ports as Fields[];
    return `${address}:${fieldOf(port, 'port')}`;
  }
}

/** A gateway as far as its feed goes, whose view the test sets. */
export class FedGateway {
  readonly cluster = new FakeCluster();
  readonly discovery = new FakeDiscovery();
  readonly errors: RecordedErrors = recordErrors();
  readonly published: PublishedView;
  readonly feed: KubernetesFeed;
  readonly said: [string, object][] = [];
  /** Requests sent, by what they do and to what. */
  readonly sent: string[] = [];
  /** When the last renewal that was stored was sent. */
  renewedAt = 0;
  /** The API cannot be reached from here. */
  away = false;
  draining = false;
  lookup: Lookup = async () => '10.0.0.99';
  readonly identity: string;

  constructor(api: SlicesApi, identity: string, change: Partial<KubernetesFeedOptions> = {}) {
    this.identity = identity;
    this.cluster.show({ complete: true });
    const { cluster, discovery, errors } = this;
    this.published = new PublishedView({ cluster, discovery, draining: () => this.draining, errors });
    this.feed = new KubernetesFeed({
      published: this.published,
      services: { coordinator: 'c', overlord: 'o' },
      portName: 'http',
      objects: this.#reached(createApiObjects(createHttpApi(api.target), api.namespace)),
      lease: 'c-endpoints',
      identity,
      ...LASTING,
      emptyAfterMs: 0,
      intervalMs: 60_000,
      addresses: new Addresses({ lookup: (name) => this.lookup(name) }),
      candidates: () => [],
      logger: {
        info: (fields, message) => void this.said.push([message, fields]),
        warn: (fields, message) => void this.said.push([message, fields]),
      },
      errors,
      ...change,
    });
  }

  get warnings(): string[] {
    return this.said.flatMap(([, fields]) => ('why' in fields ? [String(fields.why)] : []));
  }

  lead(role: MasterRole, leader: UpstreamNode | null, term = 1): void {
    this.cluster.lead(leader === null ? leaderless(role) : serving(role, leader, term));
  }

  async holds(): Promise<void> {
    await soon(() => expect(this.feed.counts.holder).toBe(true));
  }

  async close(): Promise<void> {
    this.away = false;
    await this.feed.close();
    this.published.close();
    expect(this.errors.lines).toEqual([]);
  }

  #reached(objects: ApiObjects): ApiObjects {
    const reach = (what: string): void => {
      this.sent.push(what);
      if (this.away) throw new ApiError('cannot be reached (ECONNREFUSED)');
    };
    return {
      get: async (kind, name, ...rest) => {
        reach(`get ${kind} ${name}`);
        return objects.get(kind, name, ...rest);
      },
      create: async (kind, object, ...rest) => {
        reach(`create ${kind} ${textAt(object, 'metadata', 'name')}`);
        return objects.create(kind, object, ...rest);
      },
      update: async (kind, name, ...rest) => {
        reach(`update ${kind} ${name}`);
        const sentAt = performance.now();
        const stored = await objects.update(kind, name, ...rest);
        if (kind === 'Lease') this.renewedAt = sentAt;
        return stored;
      },
    };
  }
}
