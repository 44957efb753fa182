/** What a text means; shown by colour where there is any. */
export type Tone = 'good' | 'bad' | 'doubtful' | 'faint' | 'plain';

/** Marks text for a stream. */
export type Style = (text: string, tone: Tone) => string;

export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const CODES: Readonly<Record<Exclude<Tone, 'plain'>, string>> = {
  good: '32',
  bad: '31',
  doubtful: '33',
  faint: '2',
};

/** Colours on a terminal only, and not where `NO_COLOR` (no-color.org) or a dumb terminal forbids them. */
export function styleFor(
  { isTTY }: Terminal,
  { NO_COLOR = '', TERM = '' }: Readonly<Record<string, string | undefined>>,
): Style {
  if (isTTY !== true || NO_COLOR !== '' || TERM === 'dumb') return (text) => text;
  return (text, tone) => (tone === 'plain' ? text : `\x1b[${CODES[tone]}m${text}\x1b[0m`);
}
