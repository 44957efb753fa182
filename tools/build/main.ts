import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { plainBuiltins } from './builtins.ts';
import { lateLibraries } from './late-libraries.ts';
import { licenseTexts, packagesOf } from './packages.ts';
import { preparedSchema } from './schema.ts';
import { withoutUnused } from './unused.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = join(root, 'src');
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
const bundle = await rolldown({
  cwd: root,
  // The program, a process that it forks, and a thread that it starts.
  input: {
    main: join(source, 'main.ts'),
    'worker-entry': join(source, 'gateway/worker-entry.ts'),
    asker: join(source, 'doctor/store/asker.ts'),
  },
  platform: 'node',
  // Optional peers, from where the program is installed.
  external: ['pg', 'mysql2'],
  plugins: [lateLibraries(), plainBuiltins(), withoutUnused(), preparedSchema()],
});
const { output } = await bundle.write({
  dir: dist,
  format: 'esm',
  sourcemap: true,
  minify: true,
  comments: { legal: false },
  // V8 keeps a source of one byte a character, or with a single other character of two.
  charset: 'ascii',
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
});
await bundle.close();

const chunks = output.filter((file) => file.type === 'chunk');
for (const file of readdirSync(dist)) if (file.endsWith('.map')) withoutSources(join(dist, file));
const packages = packagesOf(chunks.flatMap(({ modules }) => Object.keys(modules)));
writeFileSync(join(dist, 'THIRD-PARTY-LICENSES'), licenseTexts(packages));
const named = packages.map(({ name, version, license }) => ({ name, version, license }));
writeFileSync(join(dist, 'packages.json'), `${JSON.stringify(named, null, 2)}\n`);
cpSync(join(source, 'admin/dashboard/assets'), join(dist, 'assets'), { recursive: true });
chmodSync(join(dist, 'main.js'), 0o755);

/** A map says where a line is from; the text of the sources, three quarters of it, is in the repository. */
function withoutSources(file: string): void {
  const { sourcesContent: _, ...map } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify(map));
}
