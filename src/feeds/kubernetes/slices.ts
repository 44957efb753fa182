import { BlockList, isIP } from 'node:net';
import { type Fields, fieldOf, isFields, textAt } from '../../discovery/json-fields.ts';
import { API_VERSIONS } from './objects.ts';

/** Kinds of addresses; a slice has one, for good. */
export const ADDRESS_TYPES = ['IPv4', 'IPv6'] as const;
export type AddressType = (typeof ADDRESS_TYPES)[number];

/** The one endpoint of a role's Service. */
export interface WantedEndpoint {
  readonly type: AddressType;
  /** In the form that Kubernetes takes. */
  readonly address: string;
  readonly port: number;
  readonly scheme: 'http' | 'https';
}

export interface SliceIdentity {
  readonly service: string;
  /** The name of the Service's port; empty where it has none. */
  readonly portName: string;
  /** Stands for the one who writes, in this time that it holds the Lease. */
  readonly writer: string;
}

/** What is to be done with a slice; null for nothing. */
export type SliceChange = { readonly kind: 'create' | 'update'; readonly object: Fields } | null;

export const MANAGED_BY = 'druid-gateway';
const SERVICE_LABEL = 'kubernetes.io/service-name';
const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
/** Each holder of the Lease writes its own once, so that what a former one still has under way is refused (409). */
export const WRITER_ANNOTATION = 'druid-gateway/writer';

/** Addresses that the API server takes for no endpoint (`ValidateEndpointIP`). */
const SPECIAL = new BlockList();
SPECIAL.addSubnet('127.0.0.0', 8, 'ipv4');
SPECIAL.addSubnet('169.254.0.0', 16, 'ipv4');
SPECIAL.addSubnet('224.0.0.0', 24, 'ipv4');
SPECIAL.addAddress('0.0.0.0', 'ipv4');
SPECIAL.addAddress('::', 'ipv6');
SPECIAL.addAddress('::1', 'ipv6');
SPECIAL.addSubnet('fe80::', 10, 'ipv6');
SPECIAL.addSubnet('ff02::', 16, 'ipv6');

/** The name of a Service's slice for one kind of addresses; rights are given by it. */
export function sliceName(service: string, type: AddressType): string {
  return `${service}-${type.toLowerCase()}`;
}

/** An IP address as that of an endpoint; null if Kubernetes takes no such address. */
export function endpointAddress(ip: string): Pick<WantedEndpoint, 'type' | 'address'> | null {
  const family = isIP(ip);
  if (family === 0 || ip.includes('%')) return null;
  const plain = family === 6 ? plainV6(ip) : ip;
  const type = isIP(plain) === 6 ? 'IPv6' : 'IPv4';
  return SPECIAL.check(plain, type === 'IPv6' ? 'ipv6' : 'ipv4') ? null : { type, address: plain };
}

/**
 * Compares a slice as it is (null if there is none) with what is wanted of it (null for no endpoint). What others have
 * added to its metadata stays. Throws an Error of one sentence if it is somebody else's.
 */
export function planSlice(
  present: Fields | null,
  type: AddressType,
  wanted: WantedEndpoint | null,
  identity: SliceIdentity,
): SliceChange {
  const { service, writer } = identity;
  const spec = specOf(wanted, identity.portName);
  const labels = { [SERVICE_LABEL]: service, [MANAGED_BY_LABEL]: MANAGED_BY };
  const annotations = { [WRITER_ANNOTATION]: writer };
  if (present === null) {
    // No slice is as good as one without endpoints.
    if (wanted === null) return null;
    const metadata = { name: sliceName(service, type), labels, annotations };
    const head = { apiVersion: API_VERSIONS.EndpointSlice, kind: 'EndpointSlice' };
    return { kind: 'create', object: { ...head, metadata, addressType: type, ...spec } };
  }
  const metadata = fieldsAt(present, 'metadata');
  const [presentLabels, presentAnnotations] = [
    fieldsAt(metadata, 'labels'),
    fieldsAt(metadata, 'annotations'),
  ];
  const manager = presentLabels[MANAGED_BY_LABEL];
  if (manager !== MANAGED_BY) {
    throw new Error(
      `is not the gateway's: its label ${MANAGED_BY_LABEL} is ${typeof manager === 'string' ? manager : 'missing'}`,
    );
  }
  if (present.addressType !== type) {
    throw new Error('has another addressType, which cannot be changed; delete it');
  }
  const isSame =
    presentLabels[SERVICE_LABEL] === service &&
    presentAnnotations[WRITER_ANNOTATION] === writer &&
    JSON.stringify(described(present)) === JSON.stringify(described(spec));
  if (isSame) return null;
  return {
    kind: 'update',
    object: {
      ...present,
      metadata: {
        ...metadata,
        labels: { ...presentLabels, ...labels },
        annotations: { ...presentAnnotations, ...annotations },
      },
      ...spec,
    },
  };
}

function specOf(wanted: WantedEndpoint | null, portName: string): Fields {
  if (wanted === null) return { endpoints: [], ports: [] };
  const { address, port, scheme } = wanted;
  return {
    endpoints: [{ addresses: [address], conditions: { ready: true, serving: true, terminating: false } }],
    ports: [{ name: portName, protocol: 'TCP', port, appProtocol: scheme }],
  };
}

/** What counts of a slice, in one form: the server may leave out or add what has its default. */
function described(slice: Fields): unknown {
  const endpoints = listAt(slice, 'endpoints').map((endpoint) => [
    fieldOf(endpoint, 'addresses'),
    fieldOf(endpoint, 'conditions', 'ready') ?? true,
    fieldOf(endpoint, 'conditions', 'serving') ?? true,
    fieldOf(endpoint, 'conditions', 'terminating') ?? false,
  ]);
  const ports = listAt(slice, 'ports').map((port) => [
    textAt(port, 'name'),
    fieldOf(port, 'protocol') ?? 'TCP',
    fieldOf(port, 'port'),
    textAt(port, 'appProtocol'),
  ]);
  return [endpoints, ports];
}

function listAt(value: Fields, key: string): readonly unknown[] {
  const found = value[key];
  return Array.isArray(found) ? found : [];
}

function fieldsAt(value: Fields, key: string): Fields {
  const found = value[key];
  return isFields(found) ? found : {};
}

/** The canonical form, and of an IPv4 address in IPv6 that address. */
function plainV6(ip: string): string {
  const canonical = new URL(`http://[${ip}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  const bits = [high, low].flatMap((part) => {
    const value = Number.parseInt(part, 16);
    return [value >> 8, value & 255];
  });
  return bits.join('.');
}
