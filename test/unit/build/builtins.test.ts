import { expect, test } from 'vitest';
import { withoutBuiltinImports } from '../../../tools/build/builtins.ts';

test.for([
  [
    'import { a, b as c } from "node:http";',
    'const { a, b: c } = globalThis.process.getBuiltinModule("node:http");',
  ],
  [
    'import process from "node:process";',
    'const process = globalThis.process.getBuiltinModule("node:process");',
  ],
  ['import * as fs from "fs";', 'const fs = globalThis.process.getBuiltinModule("fs");'],
  [
    'import net, { isIP } from "node:net";',
    'const net = globalThis.process.getBuiltinModule("node:net"), { isIP } = globalThis.process.getBuiltinModule("node:net");',
  ],
  ['import { a } from "./a.js";', 'import { a } from "./a.js";'],
  ['import pg from "pg";', 'import pg from "pg";'],
])('%s', ([line = '', expected]) => {
  expect(withoutBuiltinImports(`const x = 1;\n${line}\n`)).toBe(`const x = 1;\n${expected}\n`);
});

test('an import of another form does not pass unseen', () => {
  expect(() => withoutBuiltinImports('import "node:http";\n')).toThrow('cannot read import "node:http"');
});
