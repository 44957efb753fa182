import { EventEmitter } from 'node:events';
import type { Probe, ProbeAnswer, ProbeClient } from '../../../src/cluster/probe.ts';
import {
  type Announcement,
  type Discovery,
  type DiscoveryEvents,
  type DiscoverySnapshot,
  EMPTY_SNAPSHOT,
  type LatchParticipant,
  type MasterRole,
  type Role,
  type SourceState,
  type SourceStatus,
} from '../../../src/discovery/discovery.ts';

/** A discovery that says what a test has it say. */
export class FakeDiscovery extends EventEmitter<DiscoveryEvents> implements Discovery {
  readonly kind: 'zookeeper' | 'static';
  snapshot: DiscoverySnapshot;
  status: SourceStatus = { state: 'connected', since: 0, detail: null };

  constructor(kind: 'zookeeper' | 'static' = 'zookeeper') {
    super();
    this.kind = kind;
    const latches = { coordinator: { participants: [] }, overlord: { participants: [] } };
    this.snapshot = {
      ...EMPTY_SNAPSHOT,
      complete: true,
      latches: kind === 'static' ? null : latches,
      readAt: 1,
    };
  }

  start(): void {}
  async close(): Promise<void> {}

  latch(role: MasterRole, ...participants: LatchParticipant[]): void {
    const latches = this.snapshot.latches ?? {
      coordinator: { participants: [] },
      overlord: { participants: [] },
    };
    this.#replace({ latches: { ...latches, [role]: { participants } } });
  }

  announce(role: Role, ...origins: string[]): void {
    const announcements: Announcement[] = origins.map((origin) => ({
      role,
      origin,
      hostAndPort: origin.replace(/^https?:\/\//, ''),
      service: `druid/${role}`,
      version: null,
    }));
    this.#replace({ announcements: { ...this.snapshot.announcements, [role]: announcements } });
  }

  turn(state: SourceState): void {
    this.status = { state, since: this.status.since + 1, detail: null };
    this.emit('status', this.status);
  }

  #replace(parts: Partial<DiscoverySnapshot>): void {
    this.snapshot = { ...this.snapshot, ...parts, version: this.snapshot.version + 1 };
    this.emit('snapshot', this.snapshot);
  }
}

export const OK: ProbeAnswer = { kind: 'answer', status: 200, body: 'true' };
export const NOT_FOUND: ProbeAnswer = { kind: 'answer', status: 404, body: '' };
export const UNAVAILABLE: ProbeAnswer = { kind: 'answer', status: 503, body: '<html>' };
export const SELF_REDIRECT: ProbeAnswer = { kind: 'answer', status: 307, body: '' };
export const REFUSED: ProbeAnswer = { kind: 'refused' };
export const SILENT: ProbeAnswer = { kind: 'silent' };

/** Answers probes by `origin` and path; unknown ones are refused. */
export class FakeProbes implements ProbeClient {
  readonly asked: string[] = [];
  readonly answers = new Map<string, ProbeAnswer>();

  readonly probe: Probe = async (origin, path) => {
    const url = origin + path;
    this.asked.push(url);
    return this.answers.get(url) ?? this.answers.get(origin) ?? REFUSED;
  };

  async close(): Promise<void> {}

  /** What a master says to `isLeader`, and whom it names in `leader`. */
  master(role: MasterRole, origin: string, isLeader: ProbeAnswer, names = origin): void {
    const base = role === 'coordinator' ? '/druid/coordinator/v1' : '/druid/indexer/v1';
    this.answers.set(`${origin}${base}/isLeader`, isLeader);
    this.answers.set(`${origin}${base}/leader`, { kind: 'answer', status: 200, body: names });
  }

  broker(origin: string, readiness: ProbeAnswer, statusReady: ProbeAnswer = NOT_FOUND): void {
    this.answers.set(`${origin}/druid/broker/v1/readiness`, readiness);
    this.answers.set(`${origin}/status/ready`, statusReady);
  }
}
