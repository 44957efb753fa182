import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A package of which something is in the bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** As its manifest names it, in SPDX's terms. */
  readonly license: string;
  /** What its license, and notices, say. */
  readonly texts: readonly string[];
}

const LICENSE_FILE = /^(?:licen[cs]e|notice|copying)(?:[.-].*)?$/i;

/**
 * Returns the packages that the modules of a bundle are from, by name and version. Throws an Error if one of them does
 * not say its license, or has no text of it: its terms could then not be handed on.
 */
export function packagesOf(modules: Iterable<string>): BundledPackage[] {
  const folders = new Set<string>();
  for (const id of modules) {
    const [, folder] = /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id) ?? [];
    if (folder !== undefined) folders.add(folder);
  }
  const packages = [...folders].map(readPackage);
  return packages.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function readPackage(folder: string): BundledPackage {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };
  const files = readdirSync(folder).filter((file) => LICENSE_FILE.test(file));
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  if (texts.length === 0) texts.push(...sectionOfReadme(folder));
  if (texts.length === 0) throw new Error(`${name} has no text of its license`);
  if (license === undefined) throw new Error(`${name} does not say its license`);
  return { name, version, license, texts };
}

/** What a README has below a heading of that name. */
function sectionOfReadme(folder: string): string[] {
  const file = readdirSync(folder).find((name) => /^readme(?:\..*)?$/i.test(name));
  if (file === undefined) return [];
  const [, text] = /^#+ +licen[cs]e\b.*\n([^#]+)/im.exec(readFileSync(join(folder, file), 'utf8')) ?? [];
  return text === undefined ? [] : [text.trim()];
}

/** All licenses in one text, each once. */
export function licenseTexts(packages: readonly BundledPackage[]): string {
  const parts = packages.map(
    ({ name, version, license, texts }) =>
      `${'='.repeat(80)}\n${name} ${version} (${license})\n${'='.repeat(80)}\n\n${texts.join('\n\n')}\n`,
  );
  return `druid-gateway contains parts of these packages.\n\n${parts.join('\n')}`;
}

const keyOf = ({ name, version }: BundledPackage): string => `${name}@${version}`;
