import { REASONS, type ReasonCode, type Retry, reasonOf } from '../../src/errors/catalogue.ts';
import { table } from './table.ts';

/** Every reason code: the table of docs/operations.md. */
export function reasonTable(): string {
  const rows = (Object.keys(REASONS) as ReasonCode[]).map((code) => {
    const { status, meaning, retry, action } = reasonOf(code);
    return [`\`${code}\``, String(status), meaning, again(retry), action];
  });
  return table(['reason', 'status', 'meaning', 'send again', 'what to do'], rows);
}

function again(retry: Retry): string {
  if (typeof retry === 'number') return `after ${retry} s`;
  switch (retry) {
    case 'now':
      return 'at once';
    case 'if_repeatable':
      return 'if it may be executed twice';
    case 'no':
      return 'no';
  }
}
