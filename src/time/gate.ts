/** Runs tasks, some of them later. Settles as the task does. */
export type Gate = <T>(task: () => Promise<T>) => Promise<T>;

/** At most `most` tasks are under way at once; the others wait, first come, first served. */
export function createGate(most: number): Gate {
  const waiting: (() => void)[] = [];
  let underWay = 0;
  return async (task) => {
    if (underWay >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else underWay++;
    try {
      return await task();
    } finally {
      // Who waits takes the place as it is.
      const next = waiting.shift();
      if (next === undefined) underWay--;
      else next();
    }
  };
}
