const MOST_DIGITS = 15;
const ZERO = 48;

/** Returns the number that 1 to 15 decimal digits and nothing else are; -1 for any other text. */
export function wholeNumber(text: string): number {
  if (text.length === 0 || text.length > MOST_DIGITS) return -1;
  let number = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}
