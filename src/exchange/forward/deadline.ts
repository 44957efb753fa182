/** The time limit of a whole exchange. It runs from the first time that the request is sent. */
export class Deadline {
  #timer: NodeJS.Timeout | null = null;

  /** Calls `onOverdue` once, after `ms` milliseconds. If the deadline is already armed, the earlier call stands. */
  arm(ms: number, onOverdue: () => void): void {
    this.#timer ??= setTimeout(onOverdue, ms);
  }

  disarm(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
  }
}
