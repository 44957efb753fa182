import { execFile } from 'node:child_process';
import { access, chmod, chown, constants, mkdir, readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, sep } from 'node:path';
import { promisify } from 'node:util';
import type { Owner } from './managed-process.ts';
import { MissingTool } from './toolchain.ts';

const PROGRAMS = ['initdb', 'postgres', 'pg_basebackup'];
/** Where Debian and Ubuntu keep a folder for each version, none of them on the PATH. */
const DEBIAN = '/usr/lib/postgresql';
/** The user that Debian's package makes. */
const USER = 'postgres';
const HELP = 'PostgreSQL is needed (Debian, Ubuntu: apt install postgresql; macOS: brew install postgresql).';

/** The folder with the programs of a PostgreSQL server: of the PATH, else the newest of Debian's. Null without one. */
export async function findPostgresql(): Promise<string | null> {
  const versions = await readdir(DEBIAN).catch(() => []);
  const debian = versions
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(DEBIAN, version, 'bin'));
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...debian]) {
    if (folder !== '' && (await hasAll(folder))) return folder;
  }
  return null;
}

/** The folder with the programs. Rejects with `MissingTool`. */
export async function needPostgresql(): Promise<string> {
  const folder = await findPostgresql();
  if (folder === null) throw new MissingTool(`There is no PostgreSQL server on this machine. ${HELP}`);
  return folder;
}

async function hasAll(folder: string): Promise<boolean> {
  const found = PROGRAMS.map((program) => access(join(folder, program), constants.X_OK));
  return (await Promise.allSettled(found)).every(({ status }) => status === 'fulfilled');
}

const run = promisify(execFile);

/** Runs one of the programs to its end. Rejects with what it said. */
export async function runProgram(
  command: string,
  args: readonly string[],
  { cwd, owner, env = {} }: { cwd: string; owner: Owner | undefined; env?: Record<string, string> },
): Promise<void> {
  await run(command, args, { cwd, env: { ...process.env, ...env, LC_ALL: 'C' }, ...owner });
}

/** Whom a server runs as: it refuses root, so that one takes the user `postgres`. Undefined is oneself. */
export async function serverOwner(): Promise<Owner | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = async (flag: string): Promise<number> => Number((await run('id', [flag, USER])).stdout);
  try {
    return { uid: await idOf('-u'), gid: await idOf('-g') };
  } catch {
    throw new MissingTool(`PostgreSQL refuses to run as root, and there is no user ${USER}. ${HELP}`);
  }
}

/**
 * Makes a folder that a server's user owns and can get to. Folders above it that are shut are opened for passing where
 * they are in the system's temporary folder; rejects, naming the one that is shut, elsewhere.
 */
export async function makeFolderFor(owner: Owner | undefined, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (owner === undefined) return;
  await chown(folder, owner.uid, owner.gid);
  for (let above = dirname(folder); above !== dirname(above); above = dirname(above)) {
    const { mode, uid } = await stat(above);
    if (uid === owner.uid || (mode & 0o001) !== 0) continue;
    if (!above.startsWith(tmpdir() + sep))
      throw new Error(`The user ${USER} may not pass ${above}: chmod o+x it.`);
    await chmod(above, (mode & 0o7777) | 0o001);
  }
}
