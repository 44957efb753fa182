import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BothDoors, type Outcome, startBothDoors } from '../kit/gateway/both-doors.ts';
import { plain } from '../kit/upstream/fake-upstream.ts';
import { CORPUS } from './corpus.ts';
import { anyTraffic, soundTraffic } from './traffic.ts';

/** How long the random part goes on; `FUZZ_SECONDS=600` looks deeper. */
const SECONDS = Number(process.env.FUZZ_SECONDS ?? 4);
const TIMEOUT = (SECONDS + 60) * 1_000;

let doors: BothDoors;

beforeAll(async () => {
  doors = await startBothDoors(({ method, target, body }, socket) => {
    const answer = plain('200 OK', ['Content-Type: text/plain'], `${method} ${target} ${body.length}`);
    // Reads are quick and uploads slow, so that whatever could overtake does.
    if (body.length > 0) setImmediate(() => socket.write(answer));
    else socket.write(answer);
  });
});

afterAll(async () => {
  await doors.close();
});

const statuses = ({ answers, closed }: Outcome): string =>
  [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)]
    .map(([, status]) => status)
    .concat(closed ? ['closed'] : [])
    .join(' ');

const targets = ({ seen }: Outcome): string =>
  seen.map((request) => request.split('\n')[0]?.replace('/druid/v2/', '')).join(', ');

async function same(pieces: readonly Buffer[]): Promise<Outcome> {
  const [express, front] = await doors.compare(pieces);
  expect(express).toEqual(front);
  return express;
}

/** For as long as there is time; a failure is shown with the smallest bytes that fail. */
function property(check: fc.IAsyncProperty<[Buffer[]]>): Promise<void> {
  return fc.assert(check, {
    numRuns: 1_000_000,
    interruptAfterTimeLimit: SECONDS * 1_000,
    markInterruptAsFailure: false,
  });
}

describe('what others have been led astray by', () => {
  test.for(CORPUS)('$name', async ({ bytes, seen, answered }) => {
    const outcome = await same([Buffer.from(bytes, 'latin1')]);
    const repeated = /^(.*?)x{1000,}(.*)$/s.exec(targets(outcome));
    expect({ seen: repeated === null ? targets(outcome) : '(long)', answered: statuses(outcome) }).toEqual({
      seen,
      answered,
    });
  });
});

const PIPELINE = Buffer.from(
  'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc' +
    'GET /druid/v2/x?y=%20z HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nVia: 1.1 b\r\n\r\n' +
    'POST /druid/v2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n' +
    'DELETE /druid/coordinator/v1/x HTTP/1.1\r\nHost: a\r\n\r\n',
  'latin1',
);

/** Bodies that would be taken for requests if what is before them got lost. */
const UPGRADES = Buffer.from(
  'GET /druid/v2/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n' +
    'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\n' +
    'GET /druid/v2/no HTTP/1.1\r\nHost: a\r\n\r\n' +
    'POST /druid/v2 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc' +
    'DELETE /druid/coordinator/v1/x HTTP/1.1\r\nHost: a\r\n\r\n',
  'latin1',
);

test.each([
  [PIPELINE, 'POST sql, GET x?y=%20z, POST /druid/v2, DELETE /druid/coordinator/v1/x'],
  [UPGRADES, 'GET x, POST sql, POST /druid/v2, DELETE /druid/coordinator/v1/x'],
])('where the bytes are split makes no difference, anywhere', async (pipeline, expected) => {
  const whole = await same([pipeline]);
  expect(targets(whole)).toBe(expected);
  for (let at = 1; at < pipeline.length; at++) {
    expect(await same([pipeline.subarray(0, at), pipeline.subarray(at)])).toEqual(whole);
  }
  expect(await same([...pipeline].map((byte) => Buffer.of(byte)))).toEqual(whole);
});

test.each([
  ['a protocol that is not HTTP', 'GET /druid/v2/y RTSP/1.1\r\nHost: a\r\n\r\n'],
  ['a bare CR', '\rGET /druid/v2/y HTTP/1.1\r\nHost: a\r\n\r\n'],
])('%s behind bodies that look like it is refused, wherever the bytes are split', async (_, last) => {
  const text = 'GET /druid/v2/y RTSP/1.1\r\n\r\n\rGET';
  const size = text.length;
  const bytes = Buffer.from(
    `POST /druid/v2/x HTTP/1.1\r\nHost: a\r\nTE: x\r\nContent-Length: ${size}\r\n\r\n${text}\r\n` +
      `POST /druid/v2/z HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${text}\r\n0\r\n\r\n` +
      `${last}GET /druid/v2/next HTTP/1.1\r\nHost: a\r\n\r\n`,
  );
  const whole = await same([bytes]);
  expect([targets(whole), statuses(whole)]).toEqual(['POST x, POST z', '200 200 400 closed']);
  for (let at = 1; at < bytes.length; at++) {
    expect(await same([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
  }
});

test('a client that ends before its request is whole hears the same through both doors', async () => {
  const whole = 'GET /druid/v2/x HTTP/1.1\r\nHost: a\r\n\r\n';
  const upload = 'POST /druid/v2/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc';
  for (const text of ['', whole.slice(0, 10), whole.slice(0, -2), upload, upload.replace('100000', '10')]) {
    const [express, front] = await doors.compare([Buffer.from(text)], true);
    expect(express).toEqual(front);
    expect([targets(express), statuses(express)]).toEqual(['', text === '' ? 'closed' : '400 closed']);
  }
});

test('sound requests, pipelined and split as it comes, are the same through both doors and all answered', {
  timeout: TIMEOUT,
}, async () => {
  await property(
    fc.asyncProperty(soundTraffic, async (pieces) => {
      const { answers } = await same(pieces);
      expect(answers).not.toMatch(/HTTP\/1\.1 4/);
    }),
  );
});

test('requests with bytes that were changed, lost, added or repeated are judged in the same way', {
  timeout: TIMEOUT,
}, async () => {
  await property(
    fc.asyncProperty(anyTraffic, async (pieces) => {
      await same(pieces);
    }),
  );
});
