import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached, type Found, failed, lacking, type Report } from '../cached.ts';
import { run } from '../deploy-tools/run.ts';

/** Real servers that sources read from. */
export interface Engines {
  /** A folder with `kube-apiserver` and `etcd`. */
  readonly kubernetes: Found;
  /** A folder with `consul`. */
  readonly consul: Found;
}

/** One program of a Go module. */
interface Program {
  /** The name of its file. */
  readonly name: string;
  readonly package: string;
  /** Variables that are set when it is linked. */
  readonly set?: Readonly<Record<string, string>>;
}

const KUBERNETES: readonly Program[] = [
  { name: 'etcd', package: 'go.etcd.io/etcd/server/v3' },
  {
    name: 'kube-apiserver',
    package: 'k8s.io/kubernetes/cmd/kube-apiserver',
    set: { 'k8s.io/component-base/version.gitVersion': 'v1.37.2' },
  },
];
const CONSUL: readonly Program[] = [{ name: 'consul', package: 'github.com/hashicorp/consul' }];

/**
 * Builds what is not in the cache yet, one after the other: minutes of one core, at lowest priority. What cannot be had
 * is `missing`. Rejects only if the cache cannot be written.
 */
export async function openEngines(report: Report = () => {}): Promise<Engines> {
  const consul = await build('consul', CONSUL, report);
  return { consul, kubernetes: await build('kubernetes', KUBERNETES, report) };
}

/** Builds programs as the `go.mod` of a folder beside this file pins them. */
async function build(folder: string, programs: readonly Program[], report: Report): Promise<Found> {
  const module = fileURLToPath(new URL(`./${folder}`, import.meta.url));
  const pins = await Promise.all(['go.mod', 'go.sum'].map((name) => readFile(join(module, name), 'utf8')));
  // What is wanted is part of the name, so that another version is built anew.
  const digest = createHash('sha256')
    .update(JSON.stringify([pins, programs]))
    .digest('hex')
    .slice(0, 8);
  const names = programs.map(({ name }) => name).join(' and ');
  return cached(`${folder}-${digest}`, `${names} (Go modules; some minutes)`, report, async (into) => {
    for (const program of programs) {
      const args = ['build', '-p', '1', '-buildvcs=false', '-trimpath', flagsOf(program)];
      const built = await run(
        'nice',
        ['-n', '19', 'go', ...args, '-o', join(into, program.name), program.package],
        { cwd: module, env: { CGO_ENABLED: '0' } },
      );
      if (built === null) return lacking('there is no nice');
      // `nice` says so where there is no such program.
      if (built.code === 127) return lacking('there is no go on the PATH (Go 1.26 or newer)');
      if (built.code !== 0) return failed(`go build ${program.package}`, built);
    }
    return null;
  });
}

function flagsOf({ set = {} }: Program): string {
  const values = Object.entries(set).map(([name, value]) => ` -X ${name}=${value}`);
  return `-ldflags=-s -w${values.join('')}`;
}
