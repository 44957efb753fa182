import type { Role } from '../../discovery/discovery.ts';
import type { ForwardRoute, RouteClass } from '../../routing/route.ts';
import type { ExchangeServices } from '../ports/services.ts';
import type { RequestBody } from './request-body.ts';
import { type Again, type AttemptContext, mayResend } from './verdict.ts';

/**
 * Where a request goes whose verdict lets it be sent again: `nowhere`, since the budget is spent, to `another` node or
 * else nowhere, or `anywhere`: to another node, or to the same one after a wait. Without a node to go to, the verdict's
 * error is the answer.
 */
export type NextAttempt = 'nowhere' | 'another' | 'anywhere';

/**
 * The attempts of one request: how often it was sent again, and whether it may be once more. `verdict.ts` says what is
 * safe; what all requests together may repeat is the retry budget, which is asked here and nowhere else.
 */
export class Attempts implements AttemptContext {
  readonly role: Role;
  readonly class: RouteClass;
  readonly #body: RequestBody;
  readonly #services: Pick<ExchangeServices, 'retryBudget' | 'now'>;
  #repeats = 0;
  /** It was sent once more because a kept connection was stale. */
  #resent = false;

  constructor(
    route: ForwardRoute,
    body: RequestBody,
    services: Pick<ExchangeServices, 'retryBudget' | 'now'>,
  ) {
    this.role = route.role;
    this.class = route.class;
    this.#body = body;
    this.#services = services;
  }

  get replayable(): boolean {
    return this.#body.replayable;
  }

  get repeats(): number {
    return this.#repeats;
  }

  /** Where the request goes now. Takes a repeat that counts out of the budget. */
  next(verdict: Again): NextAttempt {
    if (verdict.counts) {
      const { retryBudget, now } = this.#services;
      if (!retryBudget.withdraw(now())) return 'nowhere';
      // An overloaded leader is asked again for as long as there is time, with pauses.
      if (verdict.overloaded === null) this.#repeats++;
    }
    return verdict.onlyElsewhere ? 'another' : 'anywhere';
  }

  /** Whether it goes to the same node on a new connection, since a kept one proved stale: once at the most. */
  resend(): boolean {
    if (this.#resent || !mayResend(this)) return false;
    this.#resent = true;
    return true;
  }
}
