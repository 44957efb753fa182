import { ApiError } from '../../discovery/http-api.ts';
import type { Fields } from '../../discovery/json-fields.ts';
import { type ApiObjects, isConflict } from './objects.ts';
import {
  ADDRESS_TYPES,
  type AddressType,
  planSlice,
  type SliceIdentity,
  sliceName,
  type WantedEndpoint,
} from './slices.ts';

export interface RoleSlicesOptions {
  readonly objects: ApiObjects;
  readonly service: string;
  readonly portName: string;
  /** How long this process may still write, in ms; 0 if it may not. */
  readonly mayWriteMs: () => number;
  /** Makes sure that this process may still write. */
  readonly confirm: () => Promise<boolean>;
  /** See `SliceIdentity`. */
  readonly writer: () => string;
  /** Something was written. */
  readonly onWritten: (slice: string, wanted: WantedEndpoint | null) => void;
  /** Longest time of a request, in ms. */
  readonly requestMs: number;
}

/** Writes of one slice in a row that others come before; then it is left for a later pass. */
const MOST_CONFLICTS = 3;

/** The slices of one role's Service, one for each kind of addresses that a leader has had. */
export class RoleSlices {
  readonly #options: RoleSlicesOptions;
  /** As they were last stored; null for one that is not there, absent if that is not known. */
  readonly #known = new Map<AddressType, Fields | null>();

  constructor(options: RoleSlicesOptions) {
    this.#options = options;
  }

  /** Others may have written since. */
  forget(): void {
    this.#known.clear();
  }

  /**
   * Brings about one endpoint or none, with no request where nothing is to be changed unless `look` says to read all.
   * Resolves to false if this process may not write any more. Rejects with an Error of one sentence, and then nothing
   * is taken for known.
   */
  async settle(wanted: WantedEndpoint | null, look: boolean, signal: AbortSignal): Promise<boolean> {
    if (look) this.forget();
    // A leader with another kind of address than the former one: that one is taken out first.
    const types = ADDRESS_TYPES.toSorted((a) => (a === wanted?.type ? 1 : -1));
    for (const type of types) {
      const own = wanted?.type === type ? wanted : null;
      if (!(await this.#settleOne(type, own, signal))) return false;
    }
    return true;
  }

  async #settleOne(type: AddressType, wanted: WantedEndpoint | null, signal: AbortSignal): Promise<boolean> {
    const { objects, service, portName, mayWriteMs, confirm, writer, onWritten, requestMs } = this.#options;
    const name = sliceName(service, type);
    try {
      for (let conflicts = 0; conflicts < MOST_CONFLICTS; conflicts++) {
        let present = this.#known.get(type);
        if (present === undefined) {
          present = await objects.get('EndpointSlice', name, requestMs, signal);
          this.#known.set(type, present);
        }
        const identity: SliceIdentity = { service, portName, writer: writer() };
        const change = planSlice(present, type, wanted, identity);
        if (change === null) return true;
        const limitMs = Math.min(requestMs, mayWriteMs());
        if (limitMs === 0) return false;
        try {
          const stored =
            change.kind === 'create'
              ? await objects.create('EndpointSlice', change.object, limitMs, signal)
              : await objects.update('EndpointSlice', name, change.object, limitMs, signal);
          this.#known.set(type, stored);
          onWritten(name, wanted);
          return true;
        } catch (error) {
          if (!isConflict(error, change.kind)) throw error;
          // Whoever wrote may be the next holder.
          this.#known.delete(type);
          if (!(await confirm())) return false;
        }
      }
    } catch (error) {
      this.#known.delete(type);
      const why = error instanceof Error ? error.message : String(error);
      const who = error instanceof ApiError ? ': the API server' : '';
      throw new Error(`EndpointSlice ${name}${who} ${why}`, { cause: error });
    }
    throw new Error(`EndpointSlice ${name} is written by somebody else, too`);
  }
}
