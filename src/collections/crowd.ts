/** What a crowd can hold. An object is in one crowd at most. */
export interface Member {
  /** Its place in the crowd, which only the crowd changes; `OUTSIDE` if it is in none. */
  place: number;
}

export const OUTSIDE = -1;

/**
 * A set of objects that come and go fast, in no order. In a `Set`, each table that has been outgrown refers to the next
 * one, so a single table that has reached the old generation keeps all later ones, and all that was in them, alive until
 * the whole heap is marked.
 */
export class Crowd<T extends Member> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** Does nothing if it is in the crowd already. */
  add(member: T): void {
    if (member.place === OUTSIDE) member.place = this.#members.push(member) - 1;
  }

  /** The last member takes its place. Does nothing if it is not in the crowd. */
  delete(member: T): void {
    const { place } = member;
    if (place === OUTSIDE) return;
    member.place = OUTSIDE;
    const last = this.#members.pop();
    if (last === undefined || last === member) return;
    this.#members[place] = last;
    last.place = place;
  }

  /**
   * Goes over the members, which may leave meanwhile, and others may come. Those that are there from beginning to end are
   * met, some of them perhaps twice.
   */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let i = this.#members.length - 1; i >= 0; i--) {
      const member = this.#members[i];
      if (member !== undefined) yield member;
    }
  }
}
