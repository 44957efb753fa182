import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GENERATED } from './generated.ts';

for (const { path, make } of GENERATED) {
  const file = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const made = make(text);
  if (made !== text) writeFileSync(file, made);
  process.stdout.write(`${path}: ${made === text ? 'as it was' : 'written'}\n`);
}
