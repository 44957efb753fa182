/** Druid's error categories (`org.apache.druid.error.DruidException.Category`) with the status each is sent with. */
const CATEGORIES: Readonly<Record<number, readonly [category: string, persona: string]>> = {
  400: ['INVALID_INPUT', 'USER'],
  401: ['UNAUTHORIZED', 'USER'],
  403: ['FORBIDDEN', 'USER'],
  404: ['NOT_FOUND', 'USER'],
  405: ['INVALID_INPUT', 'USER'],
  413: ['INVALID_INPUT', 'USER'],
  421: ['INVALID_INPUT', 'USER'],
  429: ['CAPACITY_EXCEEDED', 'OPERATOR'],
  500: ['DEFENSIVE', 'DEVELOPER'],
  502: ['RUNTIME_FAILURE', 'OPERATOR'],
  503: ['SERVICE_UNAVAILABLE', 'OPERATOR'],
  504: ['TIMEOUT', 'OPERATOR'],
};

export interface GatewayError {
  readonly status: number;
  /** Machine-readable, stable: documented in docs/operations.md. */
  readonly reason: string;
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

/** Something of ours threw. */
export const INTERNAL_ERROR: GatewayError = {
  status: 500,
  reason: 'internal_error',
  message:
    'The gateway failed while it worked on this request; its log has the cause under the id of the request.',
};

/** A target that cannot be taken apart. */
export const TARGET_MALFORMED: GatewayError = {
  status: 400,
  reason: 'target_malformed',
  message: 'The target of the request is not valid.',
};

/**
 * The body of one of the gateway's own answers, in the shape of Druid's `ErrorResponse` (processing/.../error),
 * so that the console, pydruid and Avatica show its message. `context` carries the reason code and request id.
 */
export function errorBody(error: GatewayError, requestId: string): string {
  const [category, persona] = CATEGORIES[error.status] ?? ['RUNTIME_FAILURE', 'OPERATOR'];
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
