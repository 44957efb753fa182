import { isIPv4, isIPv6 } from 'node:net';
import { fieldOf, textAt } from '../../../src/discovery/json-fields.ts';

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const QUALIFIED = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/;

/**
 * What the API server finds wrong with a Lease (`ValidateLeaseSpec`; times are refused when they are decoded) or an
 * EndpointSlice (`ValidateEndpointSlice`, and on an update `ValidateEndpointSliceUpdate`), in its words; null for
 * nothing. `before` is null for one that is created.
 */
export function faultOf(kind: 'leases' | 'endpointslices', object: unknown, before: unknown): string | null {
  const annotations = Object.keys((fieldOf(object, 'metadata', 'annotations') ?? {}) as object);
  const bad = annotations.find((key) => !QUALIFIED.test(key));
  if (bad !== undefined) return `metadata.annotations: Invalid value: "${bad}"`;
  return kind === 'leases' ? leaseFault(object) : sliceFault(object, before);
}

function leaseFault(lease: unknown): string | null {
  const spec = fieldOf(lease, 'spec');
  const seconds = fieldOf(spec, 'leaseDurationSeconds');
  const transitions = fieldOf(spec, 'leaseTransitions');
  if (seconds !== undefined && !(Number.isInteger(seconds) && (seconds as number) > 0)) {
    return 'spec.leaseDurationSeconds: Invalid value: must be greater than 0';
  }
  if (transitions !== undefined && !(Number.isInteger(transitions) && (transitions as number) >= 0)) {
    return 'spec.leaseTransitions: Invalid value: must be greater than or equal to 0';
  }
  for (const key of ['acquireTime', 'renewTime']) {
    const time = fieldOf(spec, key);
    if (time !== undefined && !(typeof time === 'string' && MICRO_TIME.test(time))) {
      return `parsing time "${String(time)}" as "2006-01-02T15:04:05.000000Z07:00"`;
    }
  }
  return null;
}

function sliceFault(slice: unknown, before: unknown): string | null {
  const type = textAt(slice, 'addressType');
  if (!['IPv4', 'IPv6', 'FQDN'].includes(type)) return 'addressType: Required value';
  if (before !== null && textAt(before, 'addressType') !== type) return 'addressType: field is immutable';
  for (const endpoint of listOf(fieldOf(slice, 'endpoints'))) {
    const addresses = listOf(fieldOf(endpoint, 'addresses'));
    if (addresses.length === 0) return 'endpoints[0].addresses: Required value';
    for (const address of addresses) {
      const text = String(address);
      if (!(type === 'IPv4' ? isIPv4(text) : isIPv6(text))) {
        return `endpoints[0].addresses[0]: Invalid value: "${text}": must be a valid ${type} address`;
      }
      if (/^(127\.|169\.254\.|224\.0\.0\.|0\.0\.0\.0$|::1?$|fe[89ab][0-9a-f]:|ff.2:)/.test(text)) {
        return `endpoints[0].addresses[0]: Invalid value: "${text}": may not be in the special ranges`;
      }
    }
  }
  const names = new Set<string>();
  for (const port of listOf(fieldOf(slice, 'ports'))) {
    const name = textAt(port, 'name');
    if (name !== '' && !LABEL.test(name)) return `ports[0].name: Invalid value: "${name}"`;
    if (names.has(name)) return `ports[1].name: Duplicate value: "${name}"`;
    names.add(name);
    if (!QUALIFIED.test(textAt(port, 'appProtocol') || 'http')) return 'ports[0].appProtocol: Invalid value';
  }
  return null;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
