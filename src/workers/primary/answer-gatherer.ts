import type { ToWorker } from '../protocol/messages.ts';
import type { PoolWorker } from './worker-pool.ts';

/** Asks workers one question and gathers their answers. */
export interface AnswerGatherer<A> {
  /**
   * Sends each worker the message that `ask` makes of the number of the question. Resolves to the answers that arrived
   * before the timeout, by worker.
   */
  ask(
    workers: readonly PoolWorker[],
    ask: (question: number) => ToWorker,
  ): Promise<ReadonlyMap<PoolWorker, A>>;
  answered(worker: PoolWorker, question: number, answer: A): void;
  /** No more answers will come from this worker. */
  gone(worker: PoolWorker): void;
}

interface Question<A> {
  readonly waiting: Set<PoolWorker>;
  readonly answers: Map<PoolWorker, A>;
  readonly done: () => void;
}

/** Waits at most `timeoutMs` per question: a hung worker must not hold up a scrape. */
export function createAnswerGatherer<A>(timeoutMs: number): AnswerGatherer<A> {
  const questions = new Map<number, Question<A>>();
  let last = 0;

  function strike(question: Question<A>, worker: PoolWorker): void {
    question.waiting.delete(worker);
    if (question.waiting.size === 0) question.done();
  }

  return {
    ask(workers, ask) {
      const number = ++last;
      const answers = new Map<PoolWorker, A>();
      if (workers.length === 0) return Promise.resolve(answers);
      return new Promise((resolve) => {
        const timer = setTimeout(done, timeoutMs);
        function done(): void {
          clearTimeout(timer);
          questions.delete(number);
          resolve(answers);
        }
        questions.set(number, { waiting: new Set(workers), answers, done });
        for (const worker of workers) worker.send(ask(number));
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
