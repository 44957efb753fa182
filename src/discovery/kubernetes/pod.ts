import { isIP } from 'node:net';
import { type ParsedAnnouncement, parseAnnouncement } from '../announcement.ts';
import { ROLES, type Role } from '../discovery.ts';
import { fieldOf, textAt } from '../json-fields.ts';
import { metadataOf } from './metadata.ts';

/** A pod of Druid's, as much as is kept of it. */
export interface Pod {
  readonly name: string;
  /** Whether it counts: all of its containers are ready. */
  readonly ready: boolean;
  /** `status.podIP`; null where it has none yet. */
  readonly address: string | null;
  /** What it announces, by role. */
  readonly announced: Readonly<Partial<Record<Role, ParsedAnnouncement>>>;
}

/** `K8sDruidNodeAnnouncer`: the labels and annotations by which a process announces itself at its own pod. */
const LABEL = 'druidDiscoveryAnnouncement-';
const ANNOTATION = 'druidNodeInfo-';
/** On all pods of one cluster, with its identifier. */
export const CLUSTER_LABEL = `${LABEL}cluster-identifier`;

const NO_TEXT: ParsedAnnouncement = {
  kind: 'fault',
  reason: 'has the label of a role without its annotation',
};

/**
 * Parses a pod; null for what is none. A role counts if its label is `true` (`K8sDruidNodeDiscoveryProvider` selects by
 * it), with the announcement in its annotation. Never throws.
 */
export function parsePod(object: unknown): Pod | null {
  const metadata = metadataOf(object);
  if (metadata === null) return null;
  const announced: Partial<Record<Role, ParsedAnnouncement>> = {};
  for (const role of ROLES) {
    if (metadata.labels[LABEL + role] !== 'true') continue;
    const text = metadata.annotations[ANNOTATION + role];
    announced[role] = typeof text === 'string' ? parseAnnouncement(role, Buffer.from(text)) : NO_TEXT;
  }
  const address = textAt(object, 'status', 'podIP');
  return {
    name: metadata.name,
    ready: isReady(object),
    address: isIP(address) === 0 ? null : address,
    announced,
  };
}

/**
 * Whether all containers are ready, as `DefaultK8sApiClient` judges since Druid 37. A process that was killed leaves its
 * labels behind, so they alone prove nothing.
 */
function isReady(object: unknown): boolean {
  const statuses = fieldOf(object, 'status', 'containerStatuses');
  if (!Array.isArray(statuses) || statuses.length === 0) return false;
  return statuses.every((status) => fieldOf(status, 'ready') === true);
}
