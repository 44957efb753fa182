import { expect, test } from 'vitest';
import { createAnswerGatherer } from '../../../../src/workers/primary/answer-gatherer.ts';
import type { ToWorker, WorkerAnswer } from '../../../../src/workers/protocol/messages.ts';

function member(number: number) {
  const asked: number[] = [];
  const send = (message: ToWorker): void => {
    if (message.kind === 'ask') asked.push(message.question);
  };
  return {
    number,
    pid: number,
    state: 'serving' as const,
    since: 0,
    restarts: 0,
    lastExit: null,
    send,
    asked,
  };
}
const answer = (inFlight: number): WorkerAnswer => ({
  loads: [],
  traffic: [],
  inFlight,
  metrics: null,
  explanation: null,
});
const ask = (question: number): ToWorker => ({ kind: 'ask', question, asked: {} });

test('everybody is asked once and waited for; one that dies is not', async () => {
  const gatherer = createAnswerGatherer<WorkerAnswer>(60_000);
  const [a, b] = [member(1), member(2)];
  const answers = gatherer.ask([a, b], ask);
  expect([a.asked.length, b.asked.length]).toEqual([1, 1]);
  gatherer.answered(a, a.asked[0] ?? 0, answer(5));
  gatherer.gone(b);
  expect([...(await answers)]).toEqual([[a, answer(5)]]);
});

test('one that hangs costs no more than the timeout, and what it says later is of no use', async () => {
  const gatherer = createAnswerGatherer<WorkerAnswer>(20);
  const [a, b] = [member(1), member(2)];
  const answers = gatherer.ask([a, b], ask);
  gatherer.answered(b, b.asked[0] ?? 0, answer(1));
  expect([...(await answers).keys()]).toEqual([b]);
  gatherer.answered(a, a.asked[0] ?? 0, answer(1));
});

test('without anybody there is nothing to wait for', async () => {
  expect((await createAnswerGatherer(60_000).ask([], ask)).size).toBe(0);
});
