import { CATEGORIES, type ErrorStatus, type PlainReason, type ReasonCode, reasonOf } from './catalogue.ts';

export interface GatewayError {
  readonly status: ErrorStatus;
  /** Machine-readable, stable: documented in docs/operations.md. */
  readonly reason: ReasonCode;
  /** One sentence for people; names no internal address. */
  readonly message: string;
  /** Seconds, for the `Retry-After` header. */
  readonly retryAfter?: number;
  readonly allow?: string;
  /** Who knows where the next request begins: nothing else is read from the connection. */
  readonly closes?: true;
  /** The id of the query that the error is about. */
  readonly queryId?: string;
}

/** What a producer knows of the one request, besides the code. */
export type ErrorDetails = Partial<Pick<GatewayError, 'message' | 'allow' | 'closes' | 'queryId'>>;

/** The error of a reason code, as the catalogue has it; a code without a message of its own must be given one. */
export function gatewayError(reason: PlainReason, details?: ErrorDetails): GatewayError;
export function gatewayError(
  reason: ReasonCode,
  details: ErrorDetails & { readonly message: string },
): GatewayError;
export function gatewayError(reason: ReasonCode, details?: ErrorDetails): GatewayError {
  const { status, message = '', retry } = reasonOf(reason);
  return {
    status,
    reason,
    message,
    ...(typeof retry === 'number' ? { retryAfter: retry } : {}),
    ...details,
  };
}

/**
 * The body of one of the gateway's own answers, in the shape of Druid's `ErrorResponse` (processing/.../error),
 * so that the console, pydruid and Avatica show its message. `context` carries the reason code and request id.
 */
export function errorBody(error: GatewayError, requestId: string): string {
  const { category, persona } = CATEGORIES[error.status];
  return JSON.stringify({
    error: 'druidException',
    errorCode: error.reason,
    persona,
    category,
    errorMessage: error.message,
    context: {
      reason: error.reason,
      requestId,
      ...(error.queryId === undefined ? {} : { queryId: error.queryId }),
    },
  });
}
