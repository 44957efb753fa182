import { bounded, escapeUnseen } from '../../logs/field-text.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal would act on.
const CONTROLS = /[\x00-\x1f]/g;

/** Makes text from outside fit for a terminal: one line of bounded length, controls and unseen characters escaped. */
export function plainText(text: string): string {
  const visible = bounded(text).replace(
    CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return escapeUnseen(visible);
}

/** Writes a value as JSON that a terminal shows as it is. */
export function plainJson(value: unknown, indent?: number): string {
  return escapeUnseen(JSON.stringify(value, null, indent));
}
