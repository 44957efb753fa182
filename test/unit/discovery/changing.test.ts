import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ChangingDiscovery, createChangingDiscovery } from '../../../src/discovery/changing.ts';
import {
  type Discovery,
  type DiscoverySnapshot,
  EMPTY_SNAPSHOT,
  readersOf,
  type SourceKind,
  type SourceState,
} from '../../../src/discovery/discovery.ts';
import { createDiscoveryInOrder } from '../../../src/discovery/in-order.ts';
import { betweenTerms } from '../../../src/discovery/terms-anew.ts';
import { type RecordedErrors, recordErrors } from '../../kit/gateway/recorded-errors.ts';
import { FakeDiscovery } from '../admin/fakes.ts';

/** A source that is what a test says, and knows what was done with it. */
class Source extends FakeDiscovery {
  started = false;
  closed = false;

  constructor() {
    super();
    this.status = { state: 'connecting', since: 0, detail: null };
  }

  override start(): void {
    this.started = true;
  }

  override async close(): Promise<void> {
    this.closed = true;
  }

  turn(state: SourceState, detail: string | null = null): void {
    this.become({ state, since: 0, detail });
  }

  say(sequence: number, origin = 'http://a:8081', version = 1): void {
    const latch = { participants: [{ sequence, origin }] };
    const latches = { coordinator: latch, overlord: latch };
    this.snapshot = { ...EMPTY_SNAPSHOT, version, complete: true, latches, readAt: 1 };
    this.emit('snapshot', this.snapshot);
  }

  read(sequence: number): void {
    this.say(sequence);
    this.turn('connected');
  }

  get listeners_(): number {
    return this.eventNames().reduce((sum, name) => sum + this.listenerCount(name), 0);
  }
}

function source(kind: SourceKind): Source {
  const made = new Source();
  Object.defineProperty(made, 'kind', { value: kind });
  return made;
}

let errors: RecordedErrors;
function begin(patienceMs = 10_000) {
  errors = recordErrors();
  const first = source('zookeeper');
  const changing = createChangingDiscovery(first, { errors, patienceMs });
  const told: DiscoverySnapshot[] = [];
  const faults: string[] = [];
  const states: string[] = [];
  changing.on('snapshot', (snapshot) => {
    expect(changing.snapshot).toBe(snapshot);
    told.push(snapshot);
  });
  changing.on('fault', (fault) => faults.push(fault));
  changing.on('status', ({ state }) => states.push(`${changing.kind} ${state}`));
  changing.start();
  return { first, changing, told, faults, states };
}

const leader = ({ latches }: DiscoverySnapshot): number | undefined =>
  latches?.coordinator.participants[0]?.sequence;

test('another source is used once it has been read whole, and the former one is closed', async () => {
  const { first, changing, told, states } = begin();
  first.read(7);
  const next = source('kubernetes');
  const prepared = changing.prepare(next, 'kubernetes');
  expect([next.started, changing.kind]).toEqual([true, 'zookeeper']);
  next.turn('connected');
  first.say(8, 'http://a:8081', 2);
  next.say(0, 'http://b:8081', 40);
  const { believe } = await prepared;
  expect([changing.kind, changing.uses(first), first.closed]).toEqual(['zookeeper', true, false]);
  believe();
  expect([changing.kind, changing.uses(next), first.closed, next.closed]).toEqual([
    'kubernetes',
    true,
    true,
    false,
  ]);
  first.say(9);
  first.turn('closed');
  next.say(1, 'http://b:8081', 41);
  expect(told.map(leader)).toEqual([7, 8, 0, 1]);
  expect(told.map(({ version }) => version)).toEqual([1, 2, 3, 4]);
  expect(states).toEqual(['zookeeper connected', 'kubernetes connected']);
  expect([first.listeners_, next.listeners_]).toEqual([0, 4]);
  expect(readersOf(changing)).toEqual([next]);
});

test('one that cannot be read in time is closed, with the reason, and nothing else changes', async () => {
  const { first, changing, told, faults } = begin(20);
  first.read(7);
  const next = source('kubernetes');
  const refused = expect(changing.prepare(next, 'kubernetes')).rejects.toThrow(
    /^kubernetes has not been read whole within 0\.02 s \(the API server answered 403\); nodes are still known from zookeeper$/,
  );
  next.emit('fault', 'odd');
  next.turn('connecting', 'the API server answered 403');
  await refused;
  expect([next.closed, next.listeners_, changing.kind, told.length, faults]).toEqual([
    true,
    0,
    'zookeeper',
    1,
    [],
  ]);
});

test('a source that is known in part or that is not heard has not been read', async () => {
  for (const unread of [
    (next: Source) => next.turn('connected'),
    (next: Source) => next.say(1),
    (next: Source) => {
      next.say(1);
      next.turn('lost');
    },
  ]) {
    const { first, changing } = begin(10);
    first.read(7);
    const next = source('consul');
    const refused = expect(changing.prepare(next, 'consul')).rejects.toThrow('consul has not been read');
    unread(next);
    await refused;
  }
});

test('of several sources the first must have been read, unless the one in use is out of touch', async () => {
  const several = (): [Source, Source, Discovery] => {
    const [first, second] = [source('kubernetes'), source('static')];
    return [first, second, createDiscoveryInOrder([first, second], errors)];
  };
  const { first, changing } = begin(20);
  first.read(7);
  const [kubernetes1, static1, both1] = several();
  const refused = expect(changing.prepare(both1, 'kubernetes')).rejects.toThrow(
    'kubernetes has not been read whole within 0.02 s (403); nodes are still known from zookeeper',
  );
  kubernetes1.turn('connecting', '403');
  static1.read(0);
  await refused;
  first.turn('lost', 'cut off');
  const [kubernetes2, static2, both2] = several();
  const prepared = changing.prepare(both2, 'kubernetes');
  static2.read(0);
  (await prepared).believe();
  expect([changing.kind, changing.status.state]).toEqual(['static', 'connected']);
  kubernetes2.read(1);
  expect(changing.kind).toBe('kubernetes');
  expect(readersOf(changing)).toEqual([kubernetes2, static2]);
});

test('oddities of a source are told once it is used', async () => {
  const { first, changing, faults } = begin();
  first.read(7);
  const next = source('dns');
  const prepared = changing.prepare(next, 'dns');
  for (let i = 0; i < 30; i++) next.emit('fault', `odd ${i}`);
  next.read(1);
  const { believe } = await prepared;
  expect(faults).toEqual([]);
  believe();
  next.emit('fault', 'odder');
  expect(faults).toEqual([...Array.from({ length: 20 }, (_, i) => `odd ${i + 10}`), 'odder']);
});

test('the same leader with the same number is another term of another source', async () => {
  const { first, changing, told } = begin();
  first.read(0);
  const next = source('kubernetes');
  const prepared = changing.prepare(next, 'kubernetes');
  next.read(0);
  (await prepared).believe();
  expect(told.map(leader)).toEqual([0, undefined, 0]);
  expect(told.map(({ version }) => version)).toEqual([1, 2, 3]);
});

test('one that is not used after all is closed', async () => {
  const { first, changing } = begin();
  first.read(7);
  const next = source('kubernetes');
  const prepared = changing.prepare(next, 'kubernetes');
  next.read(1);
  await (await prepared).abandon();
  expect([next.closed, first.closed, changing.kind]).toEqual([true, false, 'zookeeper']);
});

test('a gateway that ends waits for no other source, and leaves none open', async () => {
  const end = async (at: (changing: ChangingDiscovery, next: Source) => Promise<unknown>) => {
    const { first, changing } = begin();
    first.read(7);
    const next = source('kubernetes');
    await at(changing, next);
    expect([first.closed, next.closed, errors.total]).toEqual([true, true, 0]);
  };
  await end(async (changing, next) => {
    const refused = expect(changing.prepare(next, 'kubernetes')).rejects.toThrow('is shutting down');
    await changing.close();
    await refused;
  });
  await end(async (changing, next) => {
    await changing.close();
    await expect(changing.prepare(next, 'kubernetes')).rejects.toThrow('is shutting down');
    expect(next.started).toBe(false);
  });
  await end(async (changing, next) => {
    const prepared = changing.prepare(next, 'kubernetes');
    next.read(1);
    const { believe } = await prepared;
    await changing.close();
    believe();
  });
});

test('versions grow and what is told is of one source, whatever is said and changed', async () => {
  const step = fc.oneof(fc.constant('change' as const), fc.nat({ max: 3 }));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const { first, changing, told } = begin();
      let now: Source = first;
      let version = 0;
      for (const one of steps) {
        if (one === 'change') {
          const next = source('kubernetes');
          const prepared = changing.prepare(next, 'kubernetes');
          version = 1;
          next.read(9);
          (await prepared).believe();
          now = next;
        } else {
          version += one + 1;
          now.say(one, 'http://a:8081', version);
        }
        const { version: _, ...content } = changing.snapshot;
        const { version: __, ...said } = now.snapshot;
        expect(content).toEqual(said);
      }
      const versions = told.map(({ version }) => version);
      expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
    }),
    { numRuns: 100 },
  );
});

test('between two sources only those elections are empty that could be taken for the same', () => {
  const latch = fc.record({
    participants: fc.array(
      fc.record({ sequence: fc.nat({ max: 1 }), origin: fc.constantFrom('http://a:1', 'http://b:1', null) }),
      { maxLength: 2 },
    ),
  });
  const latches = fc.option(fc.record({ coordinator: latch, overlord: latch }));
  fc.assert(
    fc.property(latches, latches, (a, b) => {
      const [before, after] = [
        { ...EMPTY_SNAPSHOT, latches: a },
        { ...EMPTY_SNAPSHOT, latches: b },
      ];
      const between = betweenTerms(before, after) ?? after;
      for (const role of ['coordinator', 'overlord'] as const) {
        const [x, y, z] = [before, between, after].map(({ latches }) => latches?.[role].participants[0]);
        if (x !== undefined && y !== undefined) expect(x).not.toEqual(y);
        if (y !== undefined) expect(y).toEqual(z);
      }
    }),
  );
});
