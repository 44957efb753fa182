import { expect, test } from 'vitest';
import { EventStreams, eventOf } from '../../../src/admin/event-streams.ts';

/** A reader that takes what it is sent only when the test says so. */
class Reader {
  readonly events: string[] = [];
  writableLength = 0;
  takes = true;
  ended = false;
  destroyed = false;

  write(event: Buffer): void {
    this.events.push(event.toString());
    if (!this.takes) this.writableLength += event.length;
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

test('a reader that is behind gets no more states, and others all of them', () => {
  const [slow, quick] = [new Reader(), new Reader()];
  slow.takes = false;
  const streams = streamsWith(slow, quick);
  for (let i = 0; i < 4; i++) streams.sendState(state(i));
  expect(slow.events).toHaveLength(1);
  expect(quick.events).toHaveLength(4);
  slow.writableLength = 0;
  streams.sendState(state(9));
  expect(slow.events.at(-1)).toContain('"number":9');
  expect(slow.destroyed).toBe(false);
});

test('a reader that is behind for ten seconds is cut', () => {
  const slow = new Reader();
  slow.takes = false;
  const streams = streamsWith(slow);
  for (now = 0; now <= 12_000; now += 2_000) streams.sendState(state(now));
  expect(slow.destroyed).toBe(false);
  streams.sendState(state(now));
  expect(slow.destroyed).toBe(true);
});

test('a reader that is behind now and then stays', () => {
  const slow = new Reader();
  const streams = streamsWith(slow);
  for (now = 0; now < 60_000; now += 1_000) {
    slow.writableLength = now % 3_000 === 0 ? 0 : 5;
    streams.sendState(state(now));
  }
  expect(slow.destroyed).toBe(false);
});

test('news that would be missed cut a reader, so it comes back and reads them', () => {
  const [slow, quick] = [new Reader(), new Reader()];
  slow.takes = false;
  const streams = streamsWith(slow, quick);
  streams.sendState(state(0));
  streams.sendState(state(1));
  quick.events.length = 0;
  streams.sendNews(eventOf('term', { role: 'overlord' }));
  expect(slow.destroyed).toBe(true);
  expect(quick.events).toEqual(['event: term\ndata: {"role":"overlord"}\n\n']);
});

test('news right behind a state cut nobody', () => {
  const reader = new Reader();
  reader.takes = false;
  const streams = streamsWith(reader);
  streams.sendState(state(0));
  streams.sendNews(eventOf('term', {}));
  expect(reader.destroyed).toBe(false);
  expect(reader.events).toHaveLength(2);
});

test('a new reader gets the first state although the head of its answer is not taken yet', () => {
  const reader = new Reader();
  reader.writableLength = 100;
  const streams = streamsWith(reader);
  streams.sendState(state(0));
  expect(reader.events).toHaveLength(1);
  const next = new Reader();
  streams.add(next, state(0));
  expect(next.events).toHaveLength(1);
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
