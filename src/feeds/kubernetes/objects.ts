import { ApiError, bounded, type HttpApi } from '../../discovery/http-api.ts';
import { type Fields, isFields } from '../../discovery/json-fields.ts';

/** Objects of the Kubernetes API in one namespace. All of it rejects with `ApiError`. */
export interface ApiObjects {
  /** Resolves to the object, or to null if there is none. */
  get(kind: ObjectKind, name: string, limitMs: number, signal: AbortSignal): Promise<Fields | null>;
  /** Resolves to the object as it was stored. 409 if there is one of that name. */
  create(kind: ObjectKind, object: Fields, limitMs: number, signal: AbortSignal): Promise<Fields>;
  /** The same for one that is there. 409 if `metadata.resourceVersion` is not that of the present one, 404 if it is gone. */
  update(
    kind: ObjectKind,
    name: string,
    object: Fields,
    limitMs: number,
    signal: AbortSignal,
  ): Promise<Fields>;
}

export type ObjectKind = 'Lease' | 'EndpointSlice';

export const API_VERSIONS: Readonly<Record<ObjectKind, string>> = {
  Lease: 'coordination.k8s.io/v1',
  EndpointSlice: 'discovery.k8s.io/v1',
};

const RESOURCES: Readonly<Record<ObjectKind, string>> = { Lease: 'leases', EndpointSlice: 'endpointslices' };

/** More than either of them has with all that others may add. */
const MAX_BYTES = 1024 * 1024;

/** Creates a client of two kinds of objects. */
export function createApiObjects(api: HttpApi, namespace: string): ApiObjects {
  const pathOf = (kind: ObjectKind): string =>
    `/apis/${API_VERSIONS[kind]}/namespaces/${encodeURIComponent(namespace)}/${RESOURCES[kind]}`;
  return {
    async get(kind, name, limitMs, signal) {
      const answer = await api.get(`${pathOf(kind)}/${encodeURIComponent(name)}`, limitMs, signal, 404);
      const object = parsed(await bounded(answer, MAX_BYTES, limitMs), kind);
      // A `Status` says that there is none; another 404 says that there is no such API.
      if (answer.statusCode !== 404) return object;
      if (isFields(object.details) && object.details.name === name) return null;
      throw new ApiError(`answered 404: it has no ${API_VERSIONS[kind]}`, 404);
    },
    async create(kind, object, limitMs, signal) {
      const answer = await api.send('POST', pathOf(kind), object, limitMs, signal);
      return parsed(await bounded(answer, MAX_BYTES, limitMs), kind);
    },
    async update(kind, name, object, limitMs, signal) {
      const path = `${pathOf(kind)}/${encodeURIComponent(name)}`;
      const answer = await api.send('PUT', path, object, limitMs, signal);
      return parsed(await bounded(answer, MAX_BYTES, limitMs), kind);
    },
  };
}

/**
 * Whether a write failed because somebody else has changed, made or removed the object meanwhile. That something is
 * not found when it is to be created says that there is no such namespace.
 */
export function isConflict(error: unknown, kind: 'create' | 'update'): boolean {
  return error instanceof ApiError && (error.status === 409 || (kind === 'update' && error.status === 404));
}

function parsed(text: Buffer, kind: ObjectKind): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text.toString('utf8'));
  } catch {
    value = null;
  }
  if (!isFields(value)) throw new ApiError(`answered with something other than the JSON of a ${kind}`);
  return value;
}
