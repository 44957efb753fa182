import type { Role } from '../../discovery/discovery.ts';
import type { ForwardRoute, RouteClass } from '../../routing/route.ts';
import type { ExchangeServices } from '../ports/services.ts';
import type { RequestBody } from './request-body.ts';
import { type Again, type AttemptContext, mayResend } from './verdict.ts';

/**
 * Where to send a request whose verdict allows another attempt. `nowhere`: the retry budget is spent. `another`: to
 * another node only. `anywhere`: to another node, or to the same one after a wait. If there is no such node, the
 * verdict's error is the answer.
 */
export type NextAttempt = 'nowhere' | 'another' | 'anywhere';

/**
 * Counts the attempts of one request and decides whether there may be another. `verdict.ts` says what is safe. The
 * retry budget limits the repeats of all requests together; only this class asks it.
 */
export class Attempts implements AttemptContext {
  readonly role: Role;
  readonly class: RouteClass;
  readonly #body: RequestBody;
  readonly #services: Pick<ExchangeServices, 'retryBudget' | 'now'>;
  #repeats = 0;
  /** The request was resent because a reused connection was stale. */
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

  /** Where to send the request now. A repeat that counts is taken from the budget. */
  next(verdict: Again): NextAttempt {
    if (verdict.counts) {
      const { retryBudget, now } = this.#services;
      if (!retryBudget.withdraw(now())) return 'nowhere';
      // An overloaded leader is asked again, with pauses, until the time runs out.
      if (verdict.overloaded === null) this.#repeats++;
    }
    return verdict.onlyElsewhere ? 'another' : 'anywhere';
  }

  /**
   * Whether to resend to the same node on a new connection because a reused one was stale. True at most once per
   * request.
   */
  resend(): boolean {
    if (this.#resent || !mayResend(this)) return false;
    this.#resent = true;
    return true;
  }
}
