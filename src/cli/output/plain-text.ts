import { bounded, escapeUnseen, visible } from '../../logs/field-text.ts';

/** Makes text from outside fit for a terminal: one line of bounded length, controls and unseen characters escaped. */
export function plainText(text: string): string {
  return visible(bounded(text));
}

/** Writes a value as JSON that a terminal shows as it is. */
export function plainJson(value: unknown, indent?: number): string {
  return escapeUnseen(JSON.stringify(value, null, indent));
}
