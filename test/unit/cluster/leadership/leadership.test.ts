import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  distrust,
  type LeaderClaim,
  type Leadership,
  type LeadershipInput,
  nextLeadership,
  noLeader,
  type ProbeResult,
  rivals,
} from '../../../../src/cluster/leadership/leadership.ts';
import { UpstreamNode } from '../../../../src/cluster/node.ts';
import type { LeaderView, WaitReason } from '../../../../src/cluster/view.ts';
import type { LatchParticipant, SourceState } from '../../../../src/discovery/discovery.ts';

const ORIGINS = ['http://10.0.0.1:8081', 'http://10.0.0.2:8081', 'http://10.0.0.3:8081'] as const;

/** What may happen to the masters of one role, and to what is known of them. */
type Event =
  | { readonly kind: 'joins'; readonly who: string | null }
  | { readonly kind: 'first leaves' | 'all leave' | 'complete' }
  | { readonly kind: 'asked' | 'forgotten'; readonly who: string }
  | {
      /** To what it was asked last, or is asked now. */
      readonly kind: 'answers' | 'answers at once';
      readonly who: string;
      readonly claim: LeaderClaim;
      readonly namesItself: ProbeResult['namesItself'];
    }
  | { readonly kind: 'source'; readonly state: SourceState }
  | { readonly kind: 'reported'; readonly reason: WaitReason }
  | { readonly kind: 'time'; readonly ms: number };

/** One step: what was, what was known then, what it came to. */
interface Step {
  readonly event: Event;
  readonly before: Leadership;
  readonly after: Leadership;
  readonly input: LeadershipInput;
  /** The stamp clock before the step. */
  readonly stamped: number;
  /** Answers to questions up to this stamp prove nothing of this node: it was elected, or distrusted, after them. */
  readonly doubtedUntil: (origin: string) => number;
}

/** A latch, its source, and masters that are asked and answer later, if at all. */
class World {
  readonly #static: boolean;
  readonly #nodes = new Map(ORIGINS.map((origin) => [origin as string, new UpstreamNode(origin)]));
  readonly #probes = new Map<string, ProbeResult>();
  readonly #asked = new Map<string, number>();
  readonly #doubted = new Map<string, number>();
  /** The latch as it is, and as it was last read. */
  #participants: LatchParticipant[] = [];
  #read: readonly LatchParticipant[] | null = null;
  #source: SourceState = 'connecting';
  #complete = false;
  #sequence = 0;
  #clock = 0;
  #now = 1_000;
  #elected: number | null = null;
  leadership: Leadership = noLeader('coordinator', 1_000);

  constructor(isStatic: boolean) {
    this.#static = isStatic;
  }

  happens(event: Event): Step {
    this.#change(event);
    if (this.#source === 'connected' && !this.#static) this.#read = [...this.#participants];
    const before = this.leadership;
    const stamped = this.#clock;
    const input = this.input;
    this.#noteElection(before.view);
    if (event.kind === 'reported') {
      if (before.view.node !== null) this.#doubted.set(before.view.node.origin, stamped);
      this.leadership = distrust(before, event.reason, this.#now, this.#stamp);
    } else this.leadership = nextLeadership(before, input);
    const doubtedUntil = (origin: string): number => this.#doubted.get(origin) ?? -1;
    return { event, before, after: this.leadership, input, stamped, doubtedUntil };
  }

  get input(): LeadershipInput {
    return {
      role: 'coordinator',
      latch: this.#read === null ? null : { participants: this.#read },
      source: this.#source,
      complete: this.#complete,
      probes: new Map(this.#probes),
      nodeAt: (origin) => this.#nodes.get(origin) ?? new UpstreamNode(origin),
      now: this.#now,
      stamp: this.#stamp,
    };
  }

  readonly #stamp = (): number => ++this.#clock;

  /** Who served without a latch, and turns out to be elected, goes on; of anybody else new evidence is wanted. */
  #noteElection({ state, node, term }: LeaderView): void {
    const first = this.#source === 'connected' ? this.#read?.[0] : undefined;
    if (first === undefined || first.origin === null || first.sequence === this.#elected) return;
    this.#elected = first.sequence;
    const goesOn = state === 'serving' && term === null && node?.origin === first.origin;
    if (!goesOn) this.#doubted.set(first.origin, this.#clock);
  }

  #change(event: Event): void {
    switch (event.kind) {
      case 'joins':
        this.#participants.push({ sequence: ++this.#sequence, origin: event.who });
        break;
      case 'first leaves':
        this.#participants.shift();
        break;
      case 'all leave':
        this.#participants = [];
        break;
      case 'complete':
        this.#complete = true;
        break;
      case 'asked':
        this.#asked.set(event.who, this.#stamp());
        break;
      case 'forgotten':
        this.#asked.delete(event.who);
        this.#probes.delete(event.who);
        break;
      case 'answers':
      case 'answers at once': {
        const { who, claim, namesItself } = event;
        if (event.kind === 'answers at once') this.#asked.set(who, this.#stamp());
        const asked = this.#asked.get(who);
        if (asked === undefined) return;
        const silences = claim === 'silent' ? (this.#probes.get(who)?.silences ?? 0) + 1 : 0;
        const named = claim === 'leads' ? namesItself : null;
        this.#probes.set(who, { claim, namesItself: named, asked, silences });
        break;
      }
      case 'source':
        this.#source = event.state;
        break;
      case 'time':
        this.#now += event.ms;
        break;
      case 'reported':
    }
  }
}

const who = fc.constantFrom(...ORIGINS);
const claims = fc.oneof(
  { weight: 3, arbitrary: fc.constant('leads' as const) },
  { weight: 2, arbitrary: fc.constantFrom('follows' as const, 'refused' as const, 'silent' as const) },
);
const sources = fc.oneof(
  { weight: 3, arbitrary: fc.constant('connected' as const) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'suspended' as const,
      'lost' as const,
      'connecting' as const,
      'closed' as const,
    ),
  },
);
const events: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('joins' as const),
      who: fc.option(who, { nil: null, freq: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'first leaves' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('all leave' as const, 'complete' as const) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('asked' as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forgotten' as const), who }) },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constantFrom('answers' as const, 'answers at once' as const),
      who,
      claim: claims,
      namesItself: fc.constantFrom(true, false, 'untold' as const, null),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('source' as const), state: sources }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('reported' as const),
      reason: fc.constantFrom('leader_unreachable' as const, 'leader_initialising' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 5_000 }) }),
  },
);

/** What must hold in each step, whatever has happened before. */
function always(law: (step: Step) => void): void {
  fc.assert(
    fc.property(fc.boolean(), fc.array(events, { maxLength: 40, size: 'max' }), (isStatic, happening) => {
      const world = new World(isStatic);
      for (const event of happening) law(world.happens(event));
    }),
    { numRuns: 1_000 },
  );
}

/** The latch is what says who leads. */
const byLatch = ({ event, input }: Step): boolean =>
  event.kind !== 'reported' && input.latch !== null && input.source === 'connected';
/** It is another node, or the same one elected again, or it did not serve. */
const begins = ({ before: { view: was }, after: { view } }: Step): boolean =>
  view.state === 'serving' && (was.state !== 'serving' || was.node !== view.node);

test('requests wait exactly while nobody serves, and are told why', () => {
  always(({ after: { view } }) => {
    expect(view.waitReason === null).toBe(view.state === 'serving');
    if (view.state === 'serving') expect(view.node).not.toBeNull();
    if (view.state === 'none') expect([view.node, view.term, view.knownBy]).toEqual([null, null, 'nothing']);
    else expect(view.knownBy).not.toBe('nothing');
  });
});

test('while ZooKeeper is there nobody serves but the first child of the latch, and with its term', () => {
  always((step) => {
    const { view } = step.after;
    if (!byLatch(step)) return;
    const first = step.input.latch?.participants[0];
    if (first === undefined) expect(view.state).toBe('none');
    else expect([view.node?.origin ?? null, view.term]).toEqual([first.origin, first.sequence]);
    if (first?.origin === null) expect(view.state).toBe('elected');
  });
});

test('nobody begins to serve but on its own answer to a question from after its election, and after any doubt', () => {
  always((step) => {
    if (!begins(step)) return;
    const { after, input, doubtedUntil } = step;
    const origin = after.view.node?.origin ?? '';
    const probe = input.probes.get(origin);
    expect(probe?.claim).toBe('leads');
    // Of a node that discovery cannot vouch for, `leader` does.
    if (byLatch(step) || step.before.view.node?.origin === origin) {
      expect(probe?.asked).toBeGreaterThan(doubtedUntil(origin));
    }
  });
});

test('an election is not believed in the step in which it is seen', () => {
  always((step) => {
    const { view: was } = step.before;
    const { view } = step.after;
    if (!byLatch(step) || (was.node === view.node && was.term === view.term)) return;
    const wentOn = was.state === 'serving' && was.node === view.node && was.term === null;
    if (!wentOn) expect(view.state).not.toBe('serving');
  });
});

test('without a latch to go by, a claim counts if `leader` names the node, or if no other claims and none can say', () => {
  always((step) => {
    if (byLatch(step) || !begins(step)) return;
    const claiming = [...step.input.probes.values()].filter(({ claim }) => claim === 'leads');
    const named = step.input.probes.get(step.after.view.node?.origin ?? '')?.namesItself;
    expect(named === true || (named === 'untold' && claiming.length === 1)).toBe(true);
  });
});

test('whom a request found wanting does not serve', () => {
  always(({ event, after: { view } }) => {
    if (event.kind === 'reported') expect(view.state).not.toBe('serving');
  });
});

test('the leader of the latch serves until it says otherwise, refuses, is silent twice, or a request says so', () => {
  always((step) => {
    const { view: was } = step.before;
    const { view } = step.after;
    if (!byLatch(step) || was.state !== 'serving' || view.state === 'serving') return;
    const first = step.input.latch?.participants[0];
    if (first?.origin !== was.node.origin || (was.term !== null && first.sequence !== was.term)) return;
    const probe = step.input.probes.get(was.node.origin);
    expect(['follows', 'refused', 'silent']).toContain(probe?.claim);
    expect(probe?.asked).toBeGreaterThan(step.doubtedUntil(was.node.origin));
    if (probe?.claim === 'silent') expect(probe.silences).toBeGreaterThanOrEqual(2);
  });
});

test('out of touch with ZooKeeper, who served serves on until it has denied it itself', () => {
  always((step) => {
    const { view: was } = step.before;
    if (step.event.kind === 'reported' || byLatch(step) || was.state !== 'serving') return;
    if (step.input.source === 'closed' || step.after.view.state === 'serving') return;
    const probe = step.input.probes.get(was.node.origin);
    expect(probe?.asked).toBeGreaterThan(step.doubtedUntil(was.node.origin));
    if (probe?.claim === 'silent') expect(probe.silences).toBeGreaterThanOrEqual(2);
    // It says that it leads, and `leader` names another, or cannot be asked while several say so.
    if (probe?.claim === 'leads') expect([false, 'untold']).toContain(probe.namesItself);
  });
});

test('a term never goes back', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(events, { maxLength: 60, size: 'max' }), (isStatic, happening) => {
      const world = new World(isStatic);
      let last = 0;
      for (const event of happening) {
        const { term } = world.happens(event).after.view;
        if (term === null) continue;
        expect(term).toBeGreaterThanOrEqual(last);
        last = term;
      }
    }),
    { numRuns: 1_000 },
  );
});

test('it is `since` now exactly if state, node or term have changed', () => {
  always(({ before: { view: was }, after: { view }, input }) => {
    const moved = was.state !== view.state || was.node !== view.node || was.term !== view.term;
    expect(view.since).toBe(moved ? input.now : was.since);
  });
});

test('what the latch says changes nothing a second time, and the object stays', () => {
  always((step) => {
    if (byLatch(step)) expect(nextLeadership(step.after, step.input)).toBe(step.after);
  });
});

test('what was believed to be too old to count never counts again', () => {
  always(({ before, after, stamped }) => {
    expect(after.confirmAfter).toBeGreaterThanOrEqual(before.confirmAfter);
    if (after.confirmAfter !== before.confirmAfter) expect(after.confirmAfter).toBeGreaterThan(stamped);
  });
});

test('why requests wait is what is known: nothing yet, no leader, one that is not ready, or no ZooKeeper', () => {
  always((step) => {
    const { event, input, after } = step;
    const { state, node, waitReason } = after.view;
    if (state === 'serving' || event.kind === 'reported') return;
    if (!byLatch(step)) {
      const known = input.latch === null ? 'no_leader' : 'discovery_stale';
      expect(waitReason).toBe(input.complete ? known : 'discovery_incomplete');
    } else if (state === 'none')
      expect(waitReason).toBe(input.complete ? 'no_leader' : 'discovery_incomplete');
    else if (node === null) expect(waitReason).toBe('no_leader');
  });
});

test('a rival is another node than the leader that says now that it leads', () => {
  always(({ after: { view, confirmAfter }, input: { probes } }) => {
    const found = rivals(view, probes, confirmAfter);
    for (const origin of ORIGINS) {
      const probe = probes.get(origin);
      const claiming = probe?.claim === 'leads' && probe.asked > confirmAfter;
      const another = view.node !== null && view.node.origin !== origin;
      expect(found.includes(origin)).toBe(claiming && another);
    }
  });
});
