import { createInternalErrors, type InternalErrors } from '../../../src/faults/internal-errors.ts';

/** Internal errors as they are reported, each with what was logged of it. */
export interface RecordedErrors extends InternalErrors {
  readonly lines: readonly ReportedError[];
}

export interface ReportedError {
  readonly place: string;
  readonly id?: string;
  readonly error: string;
  readonly stack?: string;
}

export function recordErrors(): RecordedErrors {
  const lines: ReportedError[] = [];
  const errors = createInternalErrors({ error: (fields) => void lines.push(fields as ReportedError) });
  return Object.assign(errors, { lines });
}
