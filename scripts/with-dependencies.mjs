// Installs what package-lock.json asks for, unless it is there, and runs a program on the Node.js among it.
// Plain JavaScript for the Node.js that happens to be on the machine.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const installed = join(root, 'node_modules', '.package-lock.json');
const lock = join(root, 'package-lock.json');

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  process.stdout.write('installing dependencies (npm ci)\n');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (result.status !== 0) {
    process.stderr.write('npm ci failed; see above\n');
    process.exit(1);
  }
}

const [program, ...args] = process.argv.slice(2);
const node = join(root, 'node_modules', '.bin', 'node');
const child = spawn(node, [join(root, program), ...args], { stdio: 'inherit' });
// The child ends by them, and then this one with its code. A terminal sends them to both, which does no harm.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
