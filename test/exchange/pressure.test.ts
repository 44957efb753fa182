import { afterEach, expect, test } from 'vitest';
import { type Pressure, watchPressure } from '../../src/exchange/pressure.ts';

let pressure: Pressure;
afterEach(() => pressure.stop());

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

test('a loop that is late all the time is under pressure, until it is not', async () => {
  pressure = watchPressure(100);
  while (!pressure.high) {
    block(150);
    await turn();
  }
  while (pressure.high) await turn();
});

test('a loop that was late once is not', async () => {
  pressure = watchPressure(100);
  await turn();
  block(2_500);
  const end = performance.now() + 2_500;
  while (performance.now() < end) {
    await turn();
    expect(pressure.high).toBe(false);
  }
});

test('without a limit there is none', async () => {
  pressure = watchPressure(0);
  block(50);
  await turn();
  expect(pressure.high).toBe(false);
});
