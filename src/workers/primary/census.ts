import type { WorkerAnswer } from '../protocol/messages.ts';
import type { Member } from './crew.ts';

/** What all workers answer to one question, asked of those who serve or drain. */
export interface Census {
  /** Yields the answers by worker, of those who answered in time. */
  ask(members: readonly Member[], metrics: boolean): Promise<ReadonlyMap<Member, WorkerAnswer>>;
  answered(member: Member, question: number, answer: WorkerAnswer): void;
  /** Nothing more comes from this one. */
  gone(member: Member): void;
}

interface Question {
  readonly waiting: Set<Member>;
  readonly answers: Map<Member, WorkerAnswer>;
  readonly done: () => void;
}

/** Nobody is waited for longer than `patienceMs`: a worker that hangs must not keep a scrape. */
export function createCensus(patienceMs: number): Census {
  const questions = new Map<number, Question>();
  let last = 0;

  function strike(question: Question, member: Member): void {
    question.waiting.delete(member);
    if (question.waiting.size === 0) question.done();
  }

  return {
    ask(members, metrics) {
      const asked = members.filter(({ state }) => state === 'serving' || state === 'draining');
      const number = ++last;
      const answers = new Map<Member, WorkerAnswer>();
      if (asked.length === 0) return Promise.resolve(answers);
      return new Promise((resolve) => {
        const timer = setTimeout(done, patienceMs);
        function done(): void {
          clearTimeout(timer);
          questions.delete(number);
          resolve(answers);
        }
        questions.set(number, { waiting: new Set(asked), answers, done });
        for (const member of asked) member.send({ kind: 'ask', question: number, metrics });
      });
    },
    answered(member, number, answer) {
      const question = questions.get(number);
      if (question === undefined) return;
      question.answers.set(member, answer);
      strike(question, member);
    },
    gone(member) {
      for (const question of questions.values()) strike(question, member);
    },
  };
}
