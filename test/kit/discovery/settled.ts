/** How long a number must stay the same, in ms. */
const STABLE_MS = 300;

/** Resolves to a number once it has stayed the same for a while; null is none yet. */
export async function settled(read: () => number | null): Promise<number> {
  for (let [last, since] = [read(), performance.now()]; ; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const now = read();
    if (now === null || now !== last) [last, since] = [now, performance.now()];
    else if (performance.now() - since >= STABLE_MS) return now;
  }
}
