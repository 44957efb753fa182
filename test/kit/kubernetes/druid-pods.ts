import type { MasterRole, Role } from '../../../src/discovery/discovery.ts';
import type { ApiObject, Kind } from './fake-api-server.ts';

/** Where objects are written: a fake API server or a real one. */
export interface ApiWriter {
  put(kind: Kind, namespace: string, object: ApiObject): void | Promise<void>;
  remove(kind: Kind, namespace: string, name: string): void | Promise<void>;
}

export interface PodOptions {
  readonly roles: readonly Role[];
  readonly host: string;
  readonly port: number;
  readonly service?: string;
  /** By default all of its one container. */
  readonly ready?: readonly boolean[];
  readonly podIP?: string;
}

export const CLUSTER = 'druid-test';
export const NAMESPACE = 'druid';
const LEADER = 'control-plane.alpha.kubernetes.io/leader';

/** The JSON of `DiscoveryDruidNode`, as the extension writes it. */
export function nodeInfo(role: Role, host: string, port: number, service = `druid/${role}`): string {
  return JSON.stringify({
    druidNode: {
      service,
      host,
      bindOnHost: false,
      plaintextPort: port,
      port: -1,
      tlsPort: -1,
      enablePlaintextPort: true,
      enableTlsPort: false,
    },
    nodeType: role,
    services: {},
  });
}

/** A pod as `K8sDruidNodeAnnouncer` leaves it, and the kubelet. */
export function podOf(
  name: string,
  { roles, host, port, service, ready = [true], podIP }: PodOptions,
): ApiObject {
  const labels: Record<string, string> = {
    app: 'druid',
    'druidDiscoveryAnnouncement-cluster-identifier': CLUSTER,
    'druidDiscoveryAnnouncement-id-hash': '1234',
  };
  const annotations: Record<string, string> = {};
  for (const role of roles) {
    labels[`druidDiscoveryAnnouncement-${role}`] = 'true';
    annotations[`druidNodeInfo-${role}`] = nodeInfo(role, host, port, service);
  }
  return {
    metadata: { name, labels, annotations },
    spec: { containers: ready.map((_, i) => ({ name: `c${i}`, image: 'druid' })) },
    status: {
      phase: 'Running',
      ...(podIP === undefined ? {} : { podIP }),
      containerStatuses: ready.map((one, i) => ({ name: `c${i}`, ready: one, restartCount: 0 })),
    },
  };
}

/** The lock of one role, as `LeaderElector` with a `ConfigMapLock` writes it. */
export class Election {
  readonly name: string;
  readonly #api: ApiWriter;
  readonly #namespace: string;
  readonly #leaseS: number;
  #holder = '';
  #transitions = -1;
  #acquired = '';
  #renewals = 0;

  constructor(api: ApiWriter, role: MasterRole, leaseS = 60, namespace = NAMESPACE) {
    this.name = `${CLUSTER}-leaderelection-${role}`;
    this.#api = api;
    this.#namespace = namespace;
    this.#leaseS = leaseS;
  }

  get transitions(): number {
    return this.#transitions;
  }

  /** Another one takes the lock. */
  async elect(holder: string): Promise<void> {
    this.#holder = holder;
    this.#transitions++;
    this.#acquired = this.#time();
    await this.renew();
  }

  /** The holder writes that it is still there. */
  async renew(): Promise<void> {
    await this.write(
      JSON.stringify({
        holderIdentity: this.#holder,
        leaseDurationSeconds: this.#leaseS,
        acquireTime: this.#acquired,
        renewTime: this.#time(),
        leaderTransitions: this.#transitions,
      }),
    );
  }

  /** Anything at all. */
  async write(record: string): Promise<void> {
    await this.#api.put('configmaps', this.#namespace, {
      metadata: { name: this.name, annotations: { [LEADER]: record } },
    });
  }

  /** The ConfigMap is removed; the next one counts from 0 again. */
  async remove(): Promise<void> {
    this.#transitions = -1;
    await this.#api.remove('configmaps', this.#namespace, this.name);
  }

  #time(): string {
    return `2026-11-26T12:00:00.${String(this.#renewals++).padStart(6, '0')}Z`;
  }
}
