import type { Role } from '../../../../src/discovery/discovery.ts';

/** What a Druid-like process is told when it starts. */
export interface Settings {
  readonly role: Role | 'masters';
  readonly port: number;
  readonly zookeeper: string;
  readonly sessionTimeoutMs: number;
  /** Every write that is carried out is appended here, a line each: who did it, and the write's name. */
  readonly ledger: string;
}

/** What a test can have it do; by default it behaves. */
export interface Faults {
  /** Holds its latch and does not serve, as a master that never ends initialising. */
  readonly doesNotServe: boolean;
  /** Answers what it should serve with a 307 to itself. */
  readonly redirectsToItself: boolean;
  /** Says that it leads and takes everything, whatever the latch says: the zombie after a ZooKeeper outage. */
  readonly claimsToLead: boolean;
  /** Accepts requests and never answers. */
  readonly silent: boolean;
  /** Resets the connection of each request that it should serve. */
  readonly resets: boolean;
  /** Every answer comes so late, in milliseconds. */
  readonly delayMs: number;
}

export const NO_FAULTS: Faults = {
  doesNotServe: false,
  redirectsToItself: false,
  claimsToLead: false,
  silent: false,
  resets: false,
  delayMs: 0,
};
