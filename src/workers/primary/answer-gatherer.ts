import type { Asked, WorkerAnswer } from '../protocol/messages.ts';
import type { PoolWorker } from './worker-pool.ts';

/** Asks the serving and draining workers one question and gathers their answers. */
export interface AnswerGatherer {
  /** Resolves to the answers that arrived before the timeout, by worker. */
  ask(workers: readonly PoolWorker[], asked: Asked): Promise<ReadonlyMap<PoolWorker, WorkerAnswer>>;
  answered(worker: PoolWorker, question: number, answer: WorkerAnswer): void;
  /** No more answers will come from this worker. */
  gone(worker: PoolWorker): void;
}

interface Question {
  readonly waiting: Set<PoolWorker>;
  readonly answers: Map<PoolWorker, WorkerAnswer>;
  readonly done: () => void;
}

/** Waits at most `timeoutMs` per question: a hung worker must not hold up a scrape. */
export function createAnswerGatherer(timeoutMs: number): AnswerGatherer {
  const questions = new Map<number, Question>();
  let last = 0;

  function strike(question: Question, worker: PoolWorker): void {
    question.waiting.delete(worker);
    if (question.waiting.size === 0) question.done();
  }

  return {
    ask(workers, asked) {
      const able = workers.filter(({ state }) => state === 'serving' || state === 'draining');
      const number = ++last;
      const answers = new Map<PoolWorker, WorkerAnswer>();
      if (able.length === 0) return Promise.resolve(answers);
      return new Promise((resolve) => {
        const timer = setTimeout(done, timeoutMs);
        function done(): void {
          clearTimeout(timer);
          questions.delete(number);
          resolve(answers);
        }
        questions.set(number, { waiting: new Set(able), answers, done });
        for (const worker of able) worker.send({ kind: 'ask', question: number, asked });
      });
    },
    answered(worker, number, answer) {
      const question = questions.get(number);
      if (question === undefined) return;
      question.answers.set(worker, answer);
      strike(question, worker);
    },
    gone(worker) {
      for (const question of questions.values()) strike(question, worker);
    },
  };
}
