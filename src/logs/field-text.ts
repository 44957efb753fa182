/** What JSON text may hold as it is, and a terminal would act upon, or not show. */
const UNSEEN = /[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Characters of a field; what is longer quotes somebody. */
const LONGEST = 1024;
/** A stack is of our own making, and as long as it is. */
const LONGEST_STACK = 16 * 1024;

/** JSON text with those characters escaped that a reader of the log would not see as they are. */
export function escapeUnseen(json: string): string {
  return json.replace(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Text of bounded length; where something is missing it ends in an ellipsis. */
export function bounded(text: string, longest: number = LONGEST): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/** The fields of a line with their texts bounded. */
export function boundedFields(fields: Record<string, unknown>): Record<string, unknown> {
  const cut = ([name, value]: [string, unknown]): [string, unknown] => [
    name,
    typeof value === 'string' ? bounded(value, name === 'stack' ? LONGEST_STACK : LONGEST) : value,
  ];
  return Object.fromEntries(Object.entries(fields).map(cut));
}
