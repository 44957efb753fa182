import { CATEGORIES, type ErrorStatus, type PlainReason, type ReasonCode, reasonOf } from './catalogue.ts';

export interface GatewayError {
  readonly status: ErrorStatus;
  /** Machine-readable and stable; documented in docs/operations.md. */
  readonly reason: ReasonCode;
  /** One sentence for people; names no internal address. */
  readonly message: string;
  /** Seconds, for the `Retry-After` header. */
  readonly retryAfter?: number;
  readonly allow?: string;
  /** Close the connection: where its next request begins is unknown, so nothing more is read. */
  readonly closes?: true;
  /** The id of the query that the error is about. */
  readonly queryId?: string;
}

/** What a producer knows about the request, besides the code. */
export type ErrorDetails = Partial<Pick<GatewayError, 'message' | 'allow' | 'closes' | 'queryId'>>;

/** Creates the error of a reason code from the catalogue. A code without a message there needs one in `details`. */
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
 * Returns the JSON body of one of the gateway's own answers, in the shape of Druid's `ErrorResponse`
 * (processing/.../error), so the console, pydruid and Avatica show its message. `context` holds the reason code and
 * request id.
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
