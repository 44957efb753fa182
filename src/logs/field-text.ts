/** Characters that JSON text may contain unescaped, but that a terminal would interpret or not show. */
const UNSEEN = /[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Longest text of a field, in UTF-16 code units; anything longer is text from outside. */
const LONGEST = 1024;
/** Longest stack trace; stacks are our own text, so they get more room. */
const LONGEST_STACK = 16 * 1024;

/** Escapes the characters of JSON text that a reader of the log would not see. */
export function escapeUnseen(json: string): string {
  return json.replace(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal would act on.
const CONTROLS = /[\x00-\x1f]/g;

/** Escapes all that a terminal would act on or not show, line breaks included. */
export function visible(text: string): string {
  return escapeUnseen(
    text.replace(CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}

/** Cuts text to `longest` UTF-16 code units; text that was cut ends in an ellipsis. */
export function bounded(text: string, longest: number = LONGEST): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/** Returns the fields of a log line with their texts cut to length. */
export function boundedFields(fields: Record<string, unknown>): Record<string, unknown> {
  const cut = ([name, value]: [string, unknown]): [string, unknown] => [
    name,
    typeof value === 'string' ? bounded(value, name === 'stack' ? LONGEST_STACK : LONGEST) : value,
  ];
  return Object.fromEntries(Object.entries(fields).map(cut));
}
