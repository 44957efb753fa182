import { spawn } from 'node:child_process';

/** What is missing on this machine, with how to get it; its message is for people. */
export class MissingTool extends Error {}

const OLDEST_JAVA = 17;
const JAVA_HELP =
  'Java 17 or newer is needed (Debian, Ubuntu: apt install openjdk-17-jre-headless; macOS: brew install openjdk@17).';
const MAVEN_HELP = 'Maven is needed (Debian, Ubuntu: apt install maven; macOS: brew install maven).';

/** Checks that Java and Maven are there. Rejects with `MissingTool`. */
export async function checkToolchain(): Promise<void> {
  const java = await run('java', ['-version']);
  if (java === null) throw new MissingTool(`There is no java on the PATH. ${JAVA_HELP}`);
  const version = /version "(?:1\.)?(\d+)/.exec(java.output)?.[1];
  if (java.code !== 0 || version === undefined || Number(version) < OLDEST_JAVA) {
    throw new MissingTool(`The java on the PATH is version ${version ?? 'unknown'}. ${JAVA_HELP}`);
  }
  if ((await run('mvn', ['-v'])) === null)
    throw new MissingTool(`There is no mvn on the PATH. ${MAVEN_HELP}`);
}

/** Runs Maven without a terminal. Rejects with what it printed last. */
export async function runMaven(args: readonly string[]): Promise<void> {
  const result = await run('mvn', ['-q', '-B', ...args]);
  if (result === null) throw new MissingTool(`There is no mvn on the PATH. ${MAVEN_HELP}`);
  if (result.code !== 0) {
    const lines = result.output.split('\n').filter((line) => line.includes('ERROR'));
    throw new Error(`Maven failed: ${lines.slice(0, 3).join(' ') || result.output.slice(-500)}`);
  }
}

interface Result {
  readonly code: number | null;
  readonly output: string;
}

/** Null when there is no such program. */
function run(command: string, args: readonly string[]): Promise<Result | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(null);
      else reject(error);
    });
    child.on('close', (code) => resolve({ code, output }));
  });
}
