import { type Fields, fieldOf, isFields, textAt } from '../../discovery/json-fields.ts';
import { API_VERSIONS } from './objects.ts';

/** What a `Lease` (coordination.k8s.io/v1) says of who holds it. */
export interface LeaseRecord {
  /** Changes with everything that a holder writes, and when the Lease is made anew. */
  readonly text: string;
  /** Empty where nobody holds it. */
  readonly holder: string;
  /** In ms; null if it is not told. */
  readonly leaseMs: number | null;
  readonly transitions: number;
  readonly acquireTime: string;
}

/** What is written into a Lease. Times are epoch milliseconds, for people: nobody judges by them. */
export interface LeaseWish {
  /** Empty to give it back. */
  readonly holder: string;
  readonly leaseMs: number;
  readonly transitions: number;
  readonly acquireTime: string;
  readonly renewedAt: number;
}

/** Reads a Lease. What is missing or nonsense in it is as if it were not told. Never throws. */
export function readLease(lease: Fields): LeaseRecord {
  const spec = fieldOf(lease, 'spec');
  const seconds = fieldOf(spec, 'leaseDurationSeconds');
  const transitions = fieldOf(spec, 'leaseTransitions');
  const holder = textAt(spec, 'holderIdentity');
  const acquireTime = textAt(spec, 'acquireTime');
  return {
    text: JSON.stringify([
      textAt(lease, 'metadata', 'uid'),
      holder,
      seconds,
      transitions,
      acquireTime,
      textAt(spec, 'renewTime'),
    ]),
    holder,
    leaseMs: typeof seconds === 'number' && seconds > 0 ? seconds * 1_000 : null,
    transitions: typeof transitions === 'number' && Number.isSafeInteger(transitions) ? transitions : 0,
    acquireTime,
  };
}

/** A Lease to be created. */
export function newLease(name: string, wish: LeaseWish): Fields {
  return { apiVersion: API_VERSIONS.Lease, kind: 'Lease', metadata: { name }, spec: specOf(wish) };
}

/** The same Lease, and with it its version, held otherwise. What others have added to it stays. */
export function changedLease(lease: Fields, wish: LeaseWish): Fields {
  const spec = fieldOf(lease, 'spec');
  return { ...lease, spec: { ...(isFields(spec) ? spec : {}), ...specOf(wish) } };
}

function specOf({ holder, leaseMs, transitions, acquireTime, renewedAt }: LeaseWish): Fields {
  return {
    holderIdentity: holder,
    // Rather longer for others than for us.
    leaseDurationSeconds: Math.ceil(leaseMs / 1_000),
    acquireTime,
    renewTime: microTime(renewedAt),
    leaseTransitions: transitions,
  };
}

/** `MicroTime` has six digits, no less. */
export function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}
