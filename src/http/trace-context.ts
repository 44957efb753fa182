/** The parts of a valid `traceparent` header (W3C Trace Context). */
export interface TraceParent {
  /** 32 lower-case hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** The caller's span: 16 lower-case hexadecimal digits, not all zero. */
  readonly parentId: string;
  readonly flags: number;
}

/** Bit of the trace flags: the caller may have recorded the trace. */
export const SAMPLED = 1;
/** Bit of the trace flags (Level 2): the trace id is random. It belongs to the trace id and goes on with it. */
const RANDOM = 2;

const FORM = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/s;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

/**
 * Reads a `traceparent` (W3C Trace Context, "Traceparent Header" and "Versioning of traceparent"). Null if it is invalid: upper case, zero ids, version `ff`, or version
 * `00` with further fields. Later versions may have more fields. Several headers, joined into one list, are invalid.
 */
export function parseTraceParent(text: string): TraceParent | null {
  const [, version, traceId = '', parentId = '', flags = '', more] = FORM.exec(text) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return null;
  if (traceId === NO_TRACE || parentId === NO_SPAN) return null;
  return { traceId, parentId, flags: Number.parseInt(flags, 16) };
}

/**
 * Writes a `traceparent` for a child of `spanId`. Of the caller's flags only the known ones go on, because the version
 * written is `00`.
 */
export function formatTraceParent(
  traceId: string,
  spanId: string,
  sampled: boolean,
  callerFlags = 0,
): string {
  const flags = (callerFlags & RANDOM) | (sampled ? SAMPLED : 0);
  return `00-${traceId}-${spanId}-0${flags}`;
}

/** Digits of the trace id that decide, and how many values they have. */
const RANDOM_DIGITS = 14;
const RANDOM_VALUES = 2 ** 56;

/**
 * Whether a trace belongs to the share `ratio` (0 to 1) of all traces. The same for every gateway, and a trace of a
 * smaller share is in every larger one. As in OpenTelemetry's consistent probability sampling, the last 56 bits decide:
 * those that Level 2 has random.
 */
export function isInShare(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true;
  return Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) >= (1 - ratio) * RANDOM_VALUES;
}
