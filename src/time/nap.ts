/** Sleeps of one loop, which others may end early. The process does not stay for them. */
export class Nap {
  #end: () => void = () => {};

  /** Resolves after `ms`, and at least one, or as soon as `wake` is called. One sleep at a time. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, ms)).unref();
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends the sleep; one that begins later is not ended. */
  wake(): void {
    this.#end();
  }
}
