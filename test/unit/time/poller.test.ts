import { afterEach, describe, expect, test } from 'vitest';
import { createMasters } from '../../../src/cluster/leadership/masters.ts';
import { UpstreamNode } from '../../../src/cluster/node.ts';
import { createPoller, type Poller, type PollerOptions } from '../../../src/time/poller.ts';
import { LONGEST_TIMER_MS } from '../../../src/time/timer.ts';
import { type RecordedErrors, recordErrors } from '../../kit/gateway/recorded-errors.ts';

let poller: Poller | null = null;
let errors: RecordedErrors;

afterEach(() => poller?.stop());

/** Resolves when `ask` has been called so often; `act` is what it does. */
function asked(
  times: number,
  act: (time: number) => void,
  options: Partial<PollerOptions> = {},
): Promise<void> {
  errors = recordErrors();
  return new Promise((resolve) => {
    let count = 0;
    poller = createPoller({
      ask: async () => {
        if (++count >= times) resolve();
        act(count);
      },
      interval: () => 1,
      random: () => 0.5,
      errors,
      ...options,
    });
  });
}

describe('polling goes on', () => {
  test('when a question is rejected', async () => {
    await asked(3, (time) => {
      throw new Error(`question ${time}`);
    });
    expect(errors.counts).toMatchObject({ probe: 2 });
    expect(errors.lines[0]).toMatchObject({ place: 'probe', error: 'Error: question 1' });
  });

  test('when asking throws at once', async () => {
    let count = 0;
    await new Promise<void>((resolve) => {
      void asked(1, () => {}, {
        ask: () => {
          if (++count === 3) resolve();
          throw new Error('not even a promise');
        },
      });
    });
    expect(errors.counts.probe).toBe(3);
  });

  test('when nobody can say when to ask again', async () => {
    let said = 0;
    const interval = (): number => {
      said++;
      if (said === 1) throw new Error('no interval');
      return said === 2 ? Number.NaN : 1;
    };
    await asked(4, () => {}, { interval });
    expect(errors.counts.probe).toBe(2);
  });
});

test('an interval beyond what a timer can hold is not taken for none at all', async () => {
  let count = 0;
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', onWarning);
  void asked(1, () => void count++, { interval: () => LONGEST_TIMER_MS, random: () => 0.9 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.off('warning', onWarning);
  expect([count, warnings]).toEqual([1, []]);
});

test('a master whose answer cannot be taken in is asked again', async () => {
  errors = recordErrors();
  let answers = 0;
  await new Promise<void>((resolve) => {
    const masters = createMasters({
      role: 'overlord',
      probe: async () => ({ kind: 'answer', status: 200, body: '' }),
      stamp: () => 1,
      random: () => 0.5,
      interval: () => 1,
      needsName: () => false,
      onResult: () => {
        if (++answers === 3) {
          masters.stop();
          resolve();
        }
        throw new Error('a listener of the view');
      },
      errors,
    });
    masters.watch(new Set([new UpstreamNode('http://a:1')]));
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(errors.counts.probe).toBe(3);
});
