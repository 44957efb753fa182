// Loaded into the program under test by `--import`: does to its processes what no request can be made to do. On
// SIGWINCH, of which the program makes no use, it throws outside any request or never returns, as the file named in
// BREAK_IN says.
import { readFileSync } from 'node:fs';

process.on('SIGWINCH', () => {
  const how = readFileSync(process.env.BREAK_IN, 'utf8');
  if (how === 'throw') setTimeout(() => undefined.nothing, 0);
  else if (how === 'reject') void Promise.reject(new Error('rejected on purpose'));
  else if (how === 'loop') for (;;);
});
