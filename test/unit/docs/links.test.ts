import { execFile } from 'node:child_process';
import { access, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Every document of the repository, by its path from the root. */
async function documents(): Promise<string[]> {
  const { stdout } = await promisify(execFile)('git', ['ls-files', '*.md'], { cwd: root });
  return stdout.trim().split('\n');
}

const withoutCode = (text: string): string =>
  text.replaceAll(/^```.*?^```/gms, '').replaceAll(/`[^`\n]*`/g, '');

/** The fragments that headings get where such pages are shown: lower case, without punctuation, dashes for spaces. */
function headings(text: string): Set<string> {
  const found = new Set<string>();
  for (const [, title = ''] of text.replaceAll(/^```.*?^```/gms, '').matchAll(/^#+ (.+)$/gm)) {
    const plain = title.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = plain.replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
    let unique = slug;
    for (let i = 1; found.has(unique); i++) unique = `${slug}-${i}`;
    found.add(unique);
  }
  return found;
}

/** What is wrong with a link, or null. */
async function wrong(document: string, link: string): Promise<string | null> {
  const [path = '', fragment] = link.split('#');
  const file = path === '' ? document : join(dirname(document), path);
  try {
    await access(join(root, file));
  } catch {
    return `${document} links to ${link}, which is not there`;
  }
  if (fragment === undefined || !file.endsWith('.md')) return null;
  return headings(await readFile(join(root, file), 'utf8')).has(fragment)
    ? null
    : `${document} links to ${link}, where no such heading is`;
}

test('every link between documents leads somewhere', async () => {
  const checked: Promise<string | null>[] = [];
  for (const document of await documents()) {
    const text = withoutCode(await readFile(join(root, document), 'utf8'));
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g), ...text.matchAll(/<img src="([^"]+)"/g)].map(
      ([, link = '']) => link,
    );
    for (const link of links) if (!/^[a-z]+:/.test(link)) checked.push(wrong(document, link));
  }
  expect(checked.length).toBeGreaterThan(150);
  expect((await Promise.all(checked)).filter((fault) => fault !== null)).toEqual([]);
});

test('the list of documents has every one of them', async () => {
  const text = await readFile(join(root, 'docs/README.md'), 'utf8');
  const files = (await readdir(join(root, 'docs'))).filter(
    (name) => name.endsWith('.md') && name !== 'README.md',
  );
  expect(files.filter((name) => !text.includes(`(${name})`))).toEqual([]);
});
