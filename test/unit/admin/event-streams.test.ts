import { expect, test } from 'vitest';
import { EventStreams, eventOf } from '../../../src/admin/event-streams.ts';

/** A reader that takes what it is sent at once, or when the test says so. */
class Reader {
  readonly events: string[] = [];
  readonly #waiting: (() => void)[] = [];
  takes = true;
  ended = false;
  destroyed = false;

  write(event: Buffer, taken: () => void): void {
    this.events.push(event.toString());
    if (this.takes) taken();
    else this.#waiting.push(taken);
  }

  /** Takes all that has been written so far. */
  take(): void {
    for (const taken of this.#waiting.splice(0)) taken();
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }
}

let now = 0;
function streamsWith(...readers: Reader[]): EventStreams {
  now = 0;
  const streams = new EventStreams({ max: 3, maxBehindMs: 10_000, now: () => now });
  for (const reader of readers) streams.add(reader, null);
  return streams;
}

const state = (number: number): Buffer => eventOf('status', { number });

test('a reader that is behind gets the latest state once it has taken the one before, and none between', () => {
  const [slow, quick] = [new Reader(), new Reader()];
  slow.takes = false;
  const streams = streamsWith(slow, quick);
  for (let i = 0; i < 4; i++) streams.sendState(state(i));
  expect(slow.events).toHaveLength(1);
  expect(quick.events).toHaveLength(4);
  slow.take();
  expect(slow.events).toHaveLength(2);
  expect(slow.events.at(-1)).toContain('"number":3');
  slow.take();
  streams.sendState(state(4));
  expect(slow.events).toHaveLength(3);
  expect(slow.destroyed).toBe(false);
});

test('a reader that does not take a state for ten seconds is cut', () => {
  const slow = new Reader();
  slow.takes = false;
  const streams = streamsWith(slow);
  for (now = 0; now <= 10_000; now += 2_000) streams.sendState(state(now));
  expect(slow.destroyed).toBe(false);
  streams.sendState(state(now));
  expect(slow.destroyed).toBe(true);
  expect(slow.events).toHaveLength(1);
});

test('a reader that is always behind but goes on stays', () => {
  const slow = new Reader();
  slow.takes = false;
  const streams = streamsWith(slow);
  for (now = 0; now < 60_000; now += 2_000) {
    streams.sendState(state(now));
    if (now % 6_000 === 0) slow.take();
  }
  expect(slow.destroyed).toBe(false);
});

test('a reader that has gone is sent nothing more', () => {
  const gone = new Reader();
  gone.takes = false;
  const streams = streamsWith(gone);
  streams.sendState(state(0));
  streams.sendState(state(1));
  streams.remove(gone);
  gone.take();
  expect(gone.events).toHaveLength(1);
});

test('news reach a reader that is behind, within bounds; beyond it is cut, and reads all when it is back', () => {
  const [slow, quick] = [new Reader(), new Reader()];
  slow.takes = false;
  const streams = streamsWith(slow, quick);
  streams.sendState(state(0));
  for (let i = 0; i < 100; i++) streams.sendNews(eventOf('term', { i }));
  expect([slow.events.length, slow.destroyed]).toEqual([101, false]);
  streams.sendNews(eventOf('term', { role: 'overlord' }));
  expect([slow.events.length, slow.destroyed]).toEqual([101, true]);
  expect(quick.events.at(-1)).toBe('event: term\ndata: {"role":"overlord"}\n\n');
});

test('a new reader gets the last state at once', () => {
  const streams = streamsWith();
  const reader = new Reader();
  streams.add(reader, state(7));
  expect(reader.events).toHaveLength(1);
});

test('streams are bounded, and all end at once', () => {
  const readers = [new Reader(), new Reader(), new Reader()];
  const streams = streamsWith(...readers);
  expect(streams.full).toBe(true);
  streams.close();
  expect(readers.map(({ ended }) => ended)).toEqual([true, true, true]);
  expect([streams.full, streams.size]).toEqual([false, 0]);
});

test('no text of others begins a line of its own', () => {
  const event = eventOf('status', { why: 'a\n\ndata: {}\nevent: term\r\u2028' }).toString();
  expect(event.split(/\r\n|\n|\r/)).toHaveLength(4);
});
