import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// The bill of materials of what is served: CycloneDX, or what `--sbom-format` says, to standard output. npm writes one of
// everything that the lock file names; the build has listed the packages of which something is in `dist`, and only
// those are left.
const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'druid-gateway-sbom-'));
try {
  const { name } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // npm takes the name from the folder.
  const folder = join(scratch, name);
  mkdirSync(folder);
  for (const file of ['package.json', 'package-lock.json'])
    copyFileSync(join(root, file), join(folder, file));
  const args = ['sbom', '--sbom-type', 'application', '--sbom-format', 'cyclonedx', ...process.argv.slice(2)];
  const all = execFileSync('npm', [...args, '--package-lock-only'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 100_000_000,
  });
  const bill = JSON.parse(String(all));
  process.stdout.write(`${JSON.stringify(bill.spdxVersion ? spdx(bill) : cycloneDx(bill), null, 2)}\n`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** @returns {(name: string, version: string) => boolean} */
function bundled() {
  const packages = JSON.parse(readFileSync(join(root, 'dist/packages.json'), 'utf8'));
  const ids = new Set(packages.map((/** @type {any} */ { name, version }) => `${name}@${version}`));
  return (name, version) => ids.has(`${name}@${version}`);
}

function cycloneDx(/** @type {any} */ bill) {
  const isBundled = bundled();
  const components = bill.components
    .filter((/** @type {any} */ { name, version }) => isBundled(name, version))
    // They are needed for development only in npm's eyes.
    .map((/** @type {any} */ { properties: _, ...component }) => component);
  const refs = new Set(components.map((/** @type {any} */ component) => component['bom-ref']));
  const own = bill.metadata.component['bom-ref'];
  const dependencies = bill.dependencies
    .filter((/** @type {any} */ { ref }) => ref === own || refs.has(ref))
    .map((/** @type {any} */ { ref, dependsOn }) => ({
      ref,
      dependsOn: dependsOn.filter((/** @type {string} */ other) => refs.has(other)),
    }));
  return { ...bill, components, dependencies };
}

function spdx(/** @type {any} */ bill) {
  const isBundled = bundled();
  const packages = bill.packages.filter(
    (/** @type {any} */ { name, versionInfo, SPDXID }) =>
      bill.documentDescribes.includes(SPDXID) || isBundled(name, versionInfo),
  );
  const ids = new Set([bill.SPDXID, ...packages.map((/** @type {any} */ { SPDXID }) => SPDXID)]);
  const relationships = bill.relationships.filter(
    (/** @type {any} */ { spdxElementId, relatedSpdxElement }) =>
      ids.has(spdxElementId) && ids.has(relatedSpdxElement),
  );
  return { ...bill, packages, relationships };
}
