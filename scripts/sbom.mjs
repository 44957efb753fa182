import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// The bill of materials of what is served: CycloneDX, or what `--sbom-format` says, to standard output. `npm sbom --omit
// dev` would do, but npm 11 leaves out what a development dependency needs, too; so it is asked about a manifest that
// has none. The lock file keeps the versions.
const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'druid-gateway-sbom-'));
try {
  const { devDependencies, peerDependencies, peerDependenciesMeta, ...served } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  // npm takes the name from the folder.
  const folder = join(scratch, served.name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify(served));
  copyFileSync(join(root, 'package-lock.json'), join(folder, 'package-lock.json'));
  const npm = (/** @type {string[]} */ ...args) =>
    execFileSync('npm', [...args, '--package-lock-only'], {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  npm('install', '--silent', '--ignore-scripts', '--no-audit', '--no-fund');
  npm('sbom', '--sbom-type', 'application', '--sbom-format', 'cyclonedx', ...process.argv.slice(2));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
