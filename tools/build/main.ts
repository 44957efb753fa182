import { chmodSync, cpSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { preparedSchema } from './schema.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dist = process.env.OUT ?? `${root}dist`;

rmSync(dist, { recursive: true, force: true });
const input = {
  main: `${root}src/main.ts`,
  'worker-entry': `${root}src/gateway/worker-entry.ts`,
  asker: `${root}src/doctor/store/asker.ts`,
};
const bundle = await rolldown({
  cwd: root,
  input,
  platform: 'node',
  external: ['pg', 'mysql2'],
  plugins: [preparedSchema()],
});
const { output } = await bundle.write({
  dir: dist,
  format: 'esm',
  sourcemap: true,
  minify:
    process.env.MIN === '1'
      ? true
      : process.env.MIN === '2'
        ? ({ mangle: false, compress: true, codegen: true } as never)
        : false,
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
});
await bundle.close();
if (process.env.SHOW) {
  for (const c of output) {
    if (c.type !== 'chunk') continue;
    console.log(c.fileName, c.code.length);
    if (c.code.length < Number(process.env.SHOW)) continue;
    const by = new Map<string, number>();
    for (const [id, m] of Object.entries(c.modules)) {
      const k =
        /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(
          id.split('node_modules').length > 2 ? id.slice(id.lastIndexOf('node_modules')) : id,
        )?.[1] ?? (id.includes('/src/') ? 'src/' + id.split('/src/')[1].split('/')[0] : id);
      by.set(k, (by.get(k) ?? 0) + m.renderedLength);
    }
    console.log(
      '   ',
      [...by]
        .sort((a, b) => b[1] - a[1])
        .map(([k, v]) => `${k} ${v}`)
        .join(', '),
    );
  }
}
cpSync(`${root}src/admin/dashboard/assets`, `${dist}/assets`, { recursive: true });
chmodSync(`${dist}/main.js`, 0o755);
