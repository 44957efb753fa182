import { parseOrigin } from '../../net/origin.ts';
import { type Fields, isFields } from '../json-fields.ts';
import { metadataOf } from './metadata.ts';

/** `LeaderElectionRecord`: who leads, by the annotation of a ConfigMap. */
export interface LeaderRecord {
  /** The leader's origin; null if what it calls itself is no URL of a node. */
  readonly origin: string | null;
  /** Without a change for so long, in ms, the record holds no longer. */
  readonly leaseMs: number;
  /** Grows by one with each new holder; -1 if it is not told. */
  readonly transitions: number;
}

export interface ParsedRecord {
  /** Changes with everything that is written, and when the ConfigMap is made anew. */
  readonly text: string;
  /** The ConfigMap itself, whose counter begins anew with it. */
  readonly uid: string;
  /** Null if nobody holds it. */
  readonly record: LeaderRecord | null;
  /** What is wrong with it, as the end of a sentence; null if nothing is. */
  readonly fault: string | null;
}

/** Where `ConfigMapLock` of the Kubernetes client for Java keeps it. */
const ANNOTATION = 'control-plane.alpha.kubernetes.io/leader';
/** `druid.discovery.k8s.leaseDuration`. */
export const DEFAULT_LEASE_MS = 60_000;
const LONGEST_LEASE_S = 24 * 3_600;
const LONGEST_TEXT = 4 * 1024;

/** The name of a role's ConfigMap (`K8sDruidLeaderSelector`). */
export function configMapOf(clusterIdentifier: string, role: string): string {
  return `${clusterIdentifier}-leaderelection-${role}`;
}

/** Parses the ConfigMap of a leader election; null for what is no object with a name. Never throws. */
export function parseLeaderRecord(object: unknown): ParsedRecord | null {
  const metadata = metadataOf(object);
  if (metadata === null) return null;
  const { uid, annotations } = metadata;
  const written = annotations[ANNOTATION];
  if (typeof written !== 'string' || written === '') return { text: uid, uid, record: null, fault: null };
  const text = `${uid} ${written.slice(0, LONGEST_TEXT)}`;
  const content = written.length > LONGEST_TEXT ? null : parsed(written);
  if (content === null) return { text, uid, record: null, fault: 'holds no leader record' };
  const { holderIdentity, leaseDurationSeconds, leaderTransitions } = content;
  // `ConfigMapLock` writes no holder into a lock that was released.
  if (holderIdentity === undefined || holderIdentity === null || holderIdentity === '') {
    return { text, uid, record: null, fault: null };
  }
  const origin = typeof holderIdentity === 'string' ? parseOrigin(holderIdentity) : null;
  const known = isWhole(leaseDurationSeconds) && leaseDurationSeconds > 0;
  return {
    text,
    uid,
    record: {
      origin,
      leaseMs: known ? Math.min(leaseDurationSeconds, LONGEST_LEASE_S) * 1_000 : DEFAULT_LEASE_MS,
      transitions: isWhole(leaderTransitions) ? leaderTransitions : -1,
    },
    fault: origin === null ? 'names no node by a URL' : null,
  };
}

function parsed(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
