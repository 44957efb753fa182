/** The limit of a whole exchange: runs from the first time that the request is sent. */
export class Deadline {
  #timer: NodeJS.Timeout | null = null;

  /** Calls `onOverdue` once, after `ms` milliseconds; if it is armed already, that holds. */
  arm(ms: number, onOverdue: () => void): void {
    this.#timer ??= setTimeout(onOverdue, ms);
  }

  disarm(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
  }
}
