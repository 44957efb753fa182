/** Splits a stream into lines. */
export interface Lines {
  /** Returns the lines that end in this chunk, without their ends; null once a line is longer than the limit. */
  push(chunk: Buffer): readonly Buffer[] | null;
}

/** Creates a splitter for lines of at most `maxBytes`. It keeps no more than one line that has not ended. */
export function createLines(maxBytes: number): Lines {
  let rest: Buffer[] = [];
  let length = 0;
  return {
    push(chunk) {
      const lines: Buffer[] = [];
      let start = 0;
      for (;;) {
        const end = chunk.indexOf(0x0a, start);
        const piece = chunk.subarray(start, end === -1 ? chunk.length : end);
        if (length + piece.length > maxBytes) return null;
        if (end === -1) {
          if (piece.length > 0) rest.push(piece);
          length += piece.length;
          return lines;
        }
        lines.push(rest.length === 0 ? piece : Buffer.concat([...rest, piece]));
        rest = [];
        length = 0;
        start = end + 1;
      }
    },
  };
}
