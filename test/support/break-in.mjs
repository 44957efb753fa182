// Loaded into the program under test by `--import`: does to its processes what no input can be made to do any more.
// SIGUSR2 makes the process, by what the file named in BREAK_IN says, throw outside any request or never return.
import { readFileSync } from 'node:fs';

process.on('SIGUSR2', () => {
  const [how] = readFileSync(process.env.BREAK_IN, 'utf8').split('\n');
  if (how === 'throw') setTimeout(() => undefined.nothing, 0);
  else if (how === 'reject') void Promise.reject(new Error('rejected on purpose'));
  else if (how === 'loop') for (;;);
});
