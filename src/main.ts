#!/usr/bin/env -S node --max-semi-space-size=8 --v8-pool-size=1
// Nothing here is newer than Node.js 12, so that an older one can still say what is wrong with it.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`druid-gateway needs Node.js 22.19 or newer; this is ${process.versions.node}\n`);
  process.exitCode = 1;
} else {
  // Node.js opens its debugger on this signal. An older one does not know --disable-sigusr1 and would not even start.
  process.on('SIGUSR1', () => {});
  void import('./cli/cli.ts').then(({ run }) => run(process.argv.slice(2)));
}
