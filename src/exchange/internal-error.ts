import { gatewayError } from '../errors/gateway-error.ts';
import { contain, type InternalErrors } from '../faults/internal-errors.ts';
import type { Accounting } from './accounting.ts';
import { answerError } from './own-answers/answer.ts';
import type { ClientEvents, ClientSide } from './ports/client.ts';

/**
 * Ends one request after our own code threw. Reports the error, then answers 500, or resets the client if an answer
 * has begun. The caller must have given back the request's resources before. Never throws.
 */
export function failRequest(
  errors: InternalErrors,
  client: ClientSide,
  account: Accounting,
  error: unknown,
): void {
  const { id } = client.head;
  errors.report('request', error, id);
  // The answer was already complete. Only its accounting failed.
  if (client.over) return;
  const report = (again: unknown): void => errors.report('request', again, id);
  const reset = (): void => {
    account.end = 'internal_error';
    contain(() => client.reset(), report);
  };
  if (client.begun) {
    reset();
    return;
  }
  contain(
    () => answerError(client, account, gatewayError('internal_error')),
    (again) => {
      report(again);
      reset();
    },
  );
}

/** A request that is answered at once and holds no resources. */
export class AnsweredRequest implements ClientEvents {
  readonly #errors: InternalErrors;
  readonly #client: ClientSide;
  readonly #account: Accounting;

  constructor(errors: InternalErrors, client: ClientSide, account: Accounting) {
    this.#errors = errors;
    this.#client = client;
    this.#account = account;
    client.listen(this);
  }

  /** Runs `step`, which answers. An error in it fails this request only. */
  answer(step: () => void): void {
    contain(step, (error) => this.onInternalError(error));
  }

  onClose(finished: boolean): void {
    this.#account.onClose(finished);
  }

  onInternalError(error: unknown): void {
    failRequest(this.#errors, this.#client, this.#account, error);
  }
}
