/** What writes at the end of a turn of the event loop. Neither method throws. */
export interface TurnWriter {
  /** Writes what has been collected. */
  writeOut(): void;
  /** Everybody has written. */
  onWrittenOut(): void;
}

let writers: TurnWriter[] = [];
let spare: TurnWriter[] = [];

/**
 * Has `writer` called once at the end of the present turn, when all sockets that have something to read have been
 * read. In a busy turn the writes then follow each other: each of them goes through the whole of the system's TCP code,
 * and reading and writing by turns costs a sixth more, since neither that code nor ours stays in the processor's caches.
 * First everybody writes, then everybody is told. What is asked for meanwhile belongs to the next turn.
 */
export function atEndOfTurn(writer: TurnWriter): void {
  if (writers.push(writer) === 1) setImmediate(endTurn);
}

function endTurn(): void {
  const ending = writers;
  writers = spare;
  for (const writer of ending) writer.writeOut();
  for (const writer of ending) writer.onWrittenOut();
  ending.length = 0;
  spare = ending;
}
