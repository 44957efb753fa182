import fc from 'fast-check';
import { expect, test } from 'vitest';
import { html } from '../../../../src/admin/dashboard/html.ts';

const text = fc.string({
  unit: fc.oneof(fc.constantFrom(...'<>&"\'`=/ \0\n'), fc.string({ unit: 'binary' })),
});

/** What a browser makes of the entities. */
function decoded(written: string): string {
  const characters: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  return written.replaceAll(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => characters[name] ?? '');
}

test('text of others stays text, in content and in quoted attributes', () => {
  fc.assert(
    fc.property(text, (value) => {
      const { text: written } = html`<a b="${value}">${value}</a>`;
      const [, attribute = '', content = ''] = /^<a b="([^"<>]*)">([^"<>]*)<\/a>$/s.exec(written) ?? [];
      expect(attribute).toBe(content);
      expect(decoded(content)).toBe(
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is replaced
        value.toWellFormed().replaceAll(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, '\ufffd'),
      );
    }),
  );
});

test('HTML within HTML is not escaped again', () => {
  const items = ['a', '<b>'].map((name) => html`<li>${name}</li>`);
  expect(html`<ul>${items}</ul>${1}`.text).toBe('<ul><li>a</li>\n<li>&lt;b&gt;</li></ul>1');
});
