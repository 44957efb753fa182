import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Role } from '../../../../src/discovery/discovery.ts';
import {
  type AttemptContext,
  afterAbandonment,
  afterFailure,
  afterHead,
  afterSuccession,
  mayResend,
  type ResponseSummary,
  type Verdict,
} from '../../../../src/exchange/forward/verdict.ts';
import type { UpstreamFailure, UpstreamFailureKind } from '../../../../src/exchange/ports/upstream.ts';
import type { RouteClass } from '../../../../src/routing/route.ts';

/** Whether a request of this class may change something, so that twice is not as once. */
const HAS_EFFECT: Readonly<Record<RouteClass, boolean>> = {
  read: false,
  query: false,
  stream: false,
  write: true,
  statement: true,
  cancel: true,
  jdbc: true,
};
/** How often a request of which bytes went out may be sent again. */
const MOST_REPEATS: Readonly<Record<Role, number>> = { coordinator: 3, overlord: 3, broker: 1 };
const KINDS: Readonly<Record<UpstreamFailureKind, null>> = {
  connect: null,
  stale: null,
  reset: null,
  no_answer: null,
  stalled: null,
  malformed: null,
  unsendable: null,
};
const FATE_UNKNOWN = 'may or may not have been executed';

const keysOf = <K extends string>(of: Readonly<Record<K, unknown>>): K[] => Object.keys(of) as K[];
const isMaster = ({ role }: AttemptContext): boolean => role !== 'broker';
const isRedirect = ({ status }: ResponseSummary): boolean => [301, 302, 303, 307, 308].includes(status);
const isUnavailable = ({ status }: ResponseSummary): boolean => status >= 502 && status <= 504;

const ATTEMPTS: readonly AttemptContext[] = keysOf(MOST_REPEATS).flatMap((role) =>
  keysOf(HAS_EFFECT).flatMap((routeClass) =>
    [true, false].flatMap((replayable) =>
      [0, 1, 2, 3, 4].map((repeats) => ({ role, class: routeClass, replayable, repeats })),
    ),
  ),
);
const FAILURES: readonly UpstreamFailure[] = keysOf(KINDS).flatMap((kind) =>
  [true, false].map((answered) => ({ kind, answered })),
);
const LOCATIONS: readonly ResponseSummary['location'][] = [
  null,
  ...[true, false].flatMap((known) =>
    [true, false].flatMap((sameTarget) => [true, false].map((named) => ({ known, sameTarget, named }))),
  ),
];
const ANSWERS: readonly ResponseSummary[] = [200, 301, 302, 303, 307, 308, 404, 500, 502, 503, 504].flatMap(
  (status) =>
    [null, 'text/html', 'application/json', 'application/x-jackson-smile'].flatMap((contentType) =>
      LOCATIONS.flatMap((location) =>
        [true, false].map((fromServingLeader) => ({
          status,
          contentType,
          location,
          fromServingLeader,
          retryAfterMs: fromServingLeader ? 2_000 : null,
        })),
      ),
    ),
);

const attempts = fc.constantFrom(...ATTEMPTS);
const failures = fc.constantFrom(...FAILURES);
const answers: fc.Arbitrary<ResponseSummary> = fc
  .tuple(fc.constantFrom(...ANSWERS), fc.option(fc.integer({ min: 200, max: 599 }), { freq: 3 }))
  .map(([seen, status]) => ({ ...seen, status: status ?? seen.status }));

/** A master says that it did nothing, since another one leads. */
const refersToLeader = (seen: ResponseSummary, attempt: AttemptContext): boolean =>
  isMaster(attempt) &&
  [301, 302, 307].includes(seen.status) &&
  seen.location !== null &&
  (seen.location.sameTarget || (seen.location.known && seen.status === 307));

/** What must hold for each request, whatever has come of its attempt: there are few enough to go through them all. */
function check(
  law: (attempt: AttemptContext, verdict: Verdict, came: UpstreamFailure | ResponseSummary) => void,
): void {
  for (const attempt of ATTEMPTS) {
    for (const failure of FAILURES) law(attempt, afterFailure(failure, attempt), failure);
    for (const seen of ANSWERS) law(attempt, afterHead(seen, attempt), seen);
  }
}

describe('after any attempt', () => {
  test('what may have had an effect is not sent again', () => {
    check((attempt, verdict, came) => {
      if (!HAS_EFFECT[attempt.class] || verdict.kind !== 'again') return;
      const without = 'kind' in came ? came.kind === 'connect' : refersToLeader(came, attempt);
      expect(without).toBe(true);
    });
  });

  test('a request is sent again only from its beginning, unless nothing of it was sent', () => {
    check((attempt, verdict, came) => {
      if (verdict.kind !== 'again' || ('kind' in came && came.kind === 'connect')) return;
      expect(attempt.replayable).toBe(true);
    });
  });

  test('what was sent again as often as it may be is not sent again, and each time counts', () => {
    check((attempt, verdict, came) => {
      if (verdict.kind !== 'again') return;
      if (verdict.overloaded !== null) expect(verdict.counts).toBe(true);
      else if (verdict.counts) expect(attempt.repeats).toBeLessThan(MOST_REPEATS[attempt.role]);
      // Uncounted: nothing was sent, or a master is not ready yet, which the time to wait bounds.
      else if ('kind' in came) expect(came.kind).toBe('connect');
      else {
        expect([isMaster(attempt), isUnavailable(came), came.fromServingLeader]).toEqual([true, true, false]);
      }
    });
  });

  test('only a leader that serves, and says in no words of Druid that it does not, is overloaded', () => {
    check((attempt, verdict, came) => {
      if (verdict.kind === 'relay') return;
      const refused = !('kind' in came) && verdict.outcome === 'unavailable' && isMaster(attempt);
      const overloaded = refused && came.fromServingLeader;
      expect(verdict.error.reason === 'leader_overloaded').toBe(overloaded);
      expect(verdict.error.reason === 'leader_initialising').toBe(refused && !overloaded);
      if (verdict.kind !== 'again') return;
      expect(verdict.overloaded).toEqual(overloaded ? { retryAfterMs: came.retryAfterMs } : null);
    });
  });

  test('only a Broker that is not available is not to be asked once more', () => {
    check((attempt, verdict, came) => {
      if (verdict.kind !== 'again') return;
      const refused = !('kind' in came) && !isMaster(attempt);
      expect(verdict.onlyElsewhere).toBe(refused);
    });
  });

  test('the error that is the answer when there is nowhere to go is one of a gateway', () => {
    check((_, verdict) => {
      if (verdict.kind === 'relay') return;
      const { status, reason, message, retryAfter } = verdict.error;
      // 400: the console page that its plugin refuses to ask for.
      expect([400, 502, 503, 504]).toContain(status);
      expect(reason).toMatch(/^[a-z_]+$/);
      expect(message).toMatch(/^[A-Z].*\.$/);
      if (status === 503) expect(retryAfter).toBe(1);
    });
  });

  test('the same again gives the same verdict', () => {
    fc.assert(
      fc.property(attempts, failures, answers, (attempt, failure, seen) => {
        const frozen = Object.freeze({ ...attempt });
        expect(afterFailure(failure, frozen)).toEqual(afterFailure({ ...failure }, { ...attempt }));
        expect(afterHead(seen, frozen)).toEqual(afterHead({ ...seen }, { ...attempt }));
      }),
    );
  });
});

describe('after a failure', () => {
  const checkFailure = (
    law: (attempt: AttemptContext, verdict: Verdict, failure: UpstreamFailure) => void,
  ): void => check((attempt, verdict, came) => ('kind' in came ? law(attempt, verdict, came) : undefined));

  test('there is nothing to relay', () => {
    checkFailure((_, verdict) => expect(verdict.kind).not.toBe('relay'));
  });

  test('without a connection any request goes elsewhere, and it does not count', () => {
    checkFailure((_, verdict, { kind }) => {
      if (kind !== 'connect') return;
      expect(verdict).toMatchObject({ kind: 'again', outcome: 'connect_failed', counts: false });
    });
  });

  test('nothing is sent again of which a byte of an answer had come', () => {
    checkFailure((_, verdict, { kind, answered }) => {
      if (kind !== 'connect' && answered) expect(verdict.kind).toBe('fail');
    });
  });

  test('what ended early is sent again exactly if it changes nothing, and there is a time left', () => {
    checkFailure((attempt, verdict, { kind, answered }) => {
      if (kind !== 'reset') return;
      const again =
        !answered &&
        attempt.replayable &&
        !HAS_EFFECT[attempt.class] &&
        attempt.repeats < MOST_REPEATS[attempt.role];
      expect([verdict.kind, verdict.outcome]).toEqual([again ? 'again' : 'fail', 'reset']);
    });
  });

  test('who was slow, or sent what cannot be read, is not asked again', () => {
    checkFailure((_, verdict, { kind }) => {
      if (kind === 'connect' || kind === 'reset') return;
      expect(verdict.kind).toBe('fail');
      const late = kind === 'no_answer' || kind === 'stalled';
      const status = kind === 'unsendable' ? 400 : late ? 504 : 502;
      if (verdict.kind === 'fail') expect(verdict.error.status).toBe(status);
    });
  });

  test('a node is not blamed for a kept connection that ended, nor for a query that takes long', () => {
    checkFailure((_, verdict, { kind }) => {
      const blamed = kind === 'connect' || kind === 'reset' || kind === 'malformed';
      expect(verdict.outcome !== null).toBe(blamed);
    });
  });

  test('the fate of a request is called unknown exactly if it may have had an effect', () => {
    checkFailure((attempt, verdict, { kind }) => {
      if (verdict.kind === 'relay') return;
      const sent = kind !== 'connect' && kind !== 'unsendable';
      expect(verdict.error.message.includes(FATE_UNKNOWN)).toBe(sent && HAS_EFFECT[attempt.class]);
    });
  });

  test('a kept connection that ended lets a request be sent once more exactly if it changes nothing', () => {
    fc.assert(
      fc.property(attempts, (attempt) => {
        expect(mayResend(attempt)).toBe(attempt.replayable && !HAS_EFFECT[attempt.class]);
      }),
    );
  });
});

describe('after the head of an answer', () => {
  const checkHead = (law: (attempt: AttemptContext, verdict: Verdict, seen: ResponseSummary) => void): void =>
    check((attempt, verdict, came) => ('kind' in came ? undefined : law(attempt, verdict, came)));

  test('all is relayed but redirects of a master, and what says in no words of Druid that nobody is there', () => {
    checkHead((attempt, verdict, seen) => {
      const redirects = isMaster(attempt) && isRedirect(seen) && seen.location !== null;
      const druid = seen.contentType !== null && !seen.contentType.startsWith('text/');
      if (redirects || (isUnavailable(seen) && !druid)) return;
      expect(verdict).toEqual({ kind: 'relay', outcome: 'ok' });
    });
  });

  test('no client learns of a place that the gateway does not know, but of a login with a name', () => {
    checkHead((attempt, verdict, seen) => {
      const { location } = seen;
      if (!isMaster(attempt) || !isRedirect(seen) || location?.known !== false) return;
      const login = seen.status !== 307 && location.named && !refersToLeader(seen, attempt);
      expect(verdict.kind === 'relay').toBe(login);
    });
  });

  test('a master that refers to the leader did nothing: even a write goes on, as long as its body is here', () => {
    checkHead((attempt, verdict, seen) => {
      if (!refersToLeader(seen, attempt)) return;
      const again = attempt.replayable && attempt.repeats < MOST_REPEATS[attempt.role];
      expect([verdict.kind, verdict.outcome]).toEqual([again ? 'again' : 'fail', 'not_leader']);
    });
  });

  test('a node is told on exactly if it does not lead or is not available', () => {
    checkHead((attempt, verdict, seen) => {
      const druid = seen.contentType !== null && !seen.contentType.startsWith('text/');
      if (refersToLeader(seen, attempt)) expect(verdict.outcome).toBe('not_leader');
      else expect(verdict.outcome).toBe(isUnavailable(seen) && !druid ? 'unavailable' : 'ok');
    });
  });
});

describe('when the leader that a request is at leads no more', () => {
  test('what changes nothing goes to the next one, within its repeats, and nobody is told on', () => {
    for (const attempt of ATTEMPTS) {
      const verdict = afterSuccession(attempt);
      const again =
        attempt.replayable && !HAS_EFFECT[attempt.class] && attempt.repeats < MOST_REPEATS[attempt.role];
      if (again) expect(verdict).toMatchObject({ kind: 'again', outcome: null, counts: true });
      else expect(verdict).toBeNull();
    }
  });

  test('and it has been waited for in vain, its fate is unknown exactly if it may have had an effect', () => {
    for (const attempt of ATTEMPTS) {
      const { kind, outcome, error } = afterAbandonment(attempt);
      expect([kind, outcome, error.status, error.reason]).toEqual(['fail', null, 504, 'upstream_timeout']);
      expect(error.message.includes(FATE_UNKNOWN)).toBe(HAS_EFFECT[attempt.class]);
    }
  });
});

test('whatever happens to a request, it is sent again a bounded number of times, and with an effect never in doubt', () => {
  const happening = fc.array(fc.oneof(failures, answers), { maxLength: 40, size: 'max' });
  fc.assert(
    fc.property(attempts, happening, (first, events) => {
      let repeats = 0;
      let inDoubt = false;
      for (const came of events) {
        const attempt = { ...first, repeats };
        const verdict = 'kind' in came ? afterFailure(came, attempt) : afterHead(came, attempt);
        const refused = 'kind' in came ? came.kind === 'connect' : refersToLeader(came, attempt);
        inDoubt ||= !refused;
        if (verdict.kind !== 'again') break;
        expect(inDoubt && HAS_EFFECT[first.class]).toBe(false);
        if (verdict.counts && verdict.overloaded === null) repeats++;
      }
      expect(repeats).toBeLessThanOrEqual(MOST_REPEATS[first.role]);
    }),
    { numRuns: 2_000 },
  );
});
