import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

export interface CastOptions {
  /** Characters in a line, and lines. */
  readonly width: number;
  readonly height: number;
  readonly environment: NodeJS.ProcessEnv;
  /** Where commands run. */
  readonly cwd: string;
}

const TYPING_MS = 28;
const PROMPT = '\u001b[1;32m$\u001b[0m ';

/** A terminal in which commands are typed, as an asciicast (version 2) in the making. */
export class Cast {
  readonly #options: CastOptions;
  readonly #began = performance.now();
  readonly #events: string[] = [];

  constructor(options: CastOptions) {
    this.#options = options;
    this.#write(PROMPT);
  }

  /** Types a comment. */
  async say(text: string): Promise<void> {
    await this.#type(`# ${text}`, '\u001b[90m');
    this.#write(`\r\n${PROMPT}`);
  }

  /**
   * Types a command, runs it in a shell with a terminal (by `script` of util-linux), and shows what it prints as it
   * comes; resolves some time to read later.
   */
  async run(command: string, readingMs: number): Promise<void> {
    await this.#type(command, '');
    this.#write('\r\n');
    const { environment: env, cwd, width, height } = this.#options;
    const inTerminal = `stty cols ${width} rows ${height}; ${command}`;
    const child = spawn('script', ['-qefc', inTerminal, '/dev/null'], {
      env,
      cwd,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.#write(text));
    await once(child, 'close');
    this.#write(PROMPT);
    await pause(readingMs);
  }

  /** The file: a line of JSON for the terminal, and one for each event. */
  text(): string {
    const { width, height } = this.#options;
    // Without this the last screen would be gone as soon as it is there.
    return `${[JSON.stringify({ version: 2, width, height }), ...this.#events, this.#event('')].join('\n')}\n`;
  }

  async #type(text: string, style: string): Promise<void> {
    if (style !== '') this.#write(style);
    for (const [piece] of text.matchAll(/.{1,4}/gs)) {
      this.#write(piece);
      await pause(TYPING_MS * piece.length);
    }
    if (style !== '') this.#write('\u001b[0m');
    await pause(300);
  }

  #write(text: string): void {
    this.#events.push(this.#event(text));
  }

  #event(text: string): string {
    return JSON.stringify([(performance.now() - this.#began) / 1_000, 'o', text]);
  }
}
