import { type Style, styleFor } from '../../logs/style.ts';

/** Where a command writes its result. */
export interface Screen {
  readonly width: number;
  readonly style: Style;
  readonly isTerminal: boolean;
  print(text: string): void;
}

/** Width of what is no terminal, in characters. */
const PLAIN_WIDTH = 80;

/** Standard output. */
export function standardScreen(): Screen {
  const { stdout } = process;
  return {
    width: stdout.isTTY ? (stdout.columns ?? PLAIN_WIDTH) : PLAIN_WIDTH,
    style: styleFor(stdout, process.env),
    isTerminal: stdout.isTTY === true,
    print: (text) => void stdout.write(`${text}\n`),
  };
}
