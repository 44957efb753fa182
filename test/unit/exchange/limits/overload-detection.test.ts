import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, expect, test, vi } from 'vitest';
import { type Pressure, watchPressure } from '../../../../src/exchange/limits/overload.ts';
import { recordErrors } from '../../../kit/gateway/recorded-errors.ts';

let pressure: Pressure;
afterEach(() => {
  pressure.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

test('a loop that is late all the time is under pressure, until it is not', async () => {
  pressure = watchPressure(100, recordErrors());
  while (!pressure.high) {
    block(150);
    await turn();
  }
  while (pressure.high) await turn();
});

test('a loop that was late once is not', async () => {
  pressure = watchPressure(100, recordErrors());
  await turn();
  block(2_500);
  const end = performance.now() + 2_500;
  while (performance.now() < end) {
    await turn();
    expect(pressure.high).toBe(false);
  }
});

test('without a limit there is none', async () => {
  pressure = watchPressure(0, recordErrors());
  block(50);
  await turn();
  expect(pressure.high).toBe(false);
});

test('an error while it is measured is told, and there is no pressure until it is measured again', () => {
  vi.useFakeTimers();
  const histogram = Object.getPrototypeOf(monitorEventLoopDelay()) as ReturnType<
    typeof monitorEventLoopDelay
  >;
  const percentile = vi.spyOn(histogram, 'percentile').mockReturnValue(1e9);
  const errors = recordErrors();
  pressure = watchPressure(100, errors);
  vi.advanceTimersByTime(2_000);
  expect(pressure.high).toBe(true);
  percentile.mockImplementationOnce(() => {
    throw new Error('no measure');
  });
  vi.advanceTimersByTime(1_000);
  expect(pressure.high).toBe(false);
  expect(errors.lines).toMatchObject([{ place: 'request', error: 'Error: no measure' }]);
  vi.advanceTimersByTime(2_000);
  expect(pressure.high).toBe(true);
});
