const LATIN_1 = 256;

/**
 * Tells by the first character of a header line whether its name can be one that is inspected. Most lines are not, and
 * a table of bytes answers faster than a `Set`.
 */
export class FirstLetters {
  readonly #letters = new Uint8Array(LATIN_1);

  /** `letters`: the first letters of all inspected names, in lower case. */
  constructor(letters: string) {
    for (const letter of letters + letters.toUpperCase()) this.#letters[letter.charCodeAt(0)] = 1;
  }

  has(code: number): boolean {
    return this.#letters[code] === 1;
  }
}
