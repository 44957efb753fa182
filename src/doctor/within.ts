/** Resolves with what the promise yields, or with `late` after `ms`. The promise goes on; its later error is dropped. */
export async function within<T, L>(ms: number, promise: Promise<T>, late: L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<L>((resolve) => {
    timer = setTimeout(() => resolve(late), ms);
  });
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}

/** Maps with at most `most` under way at once; the order stays. */
export async function mapSome<T, R>(
  items: readonly T[],
  most: number,
  map: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  async function work(): Promise<void> {
    for (let i = next++; i < items.length; i = next++) {
      const item = items[i];
      if (item !== undefined) results[i] = await map(item);
    }
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, work));
  return results;
}
