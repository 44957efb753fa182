import { type Style, styleFor } from '../../logs/style.ts';

/** Where a command writes its result. */
export interface Screen {
  /** In characters; infinite where it is no terminal, since nothing is to be cut in a pipe or a file. */
  readonly width: number;
  readonly style: Style;
  readonly isTerminal: boolean;
  print(text: string): void;
}

/** Width of a terminal that does not tell its own, in characters. */
const USUAL_WIDTH = 80;

/** Standard output. */
export function standardScreen(): Screen {
  const { stdout } = process;
  return {
    width: stdout.isTTY ? stdout.columns || USUAL_WIDTH : Number.POSITIVE_INFINITY,
    style: styleFor(stdout, process.env),
    isTerminal: stdout.isTTY === true,
    print: (text) => void stdout.write(`${text}\n`),
  };
}
