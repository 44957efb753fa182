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

test('TLS is loaded when something of it is used, and so is imported as a whole', () => {
  expect(withoutBuiltinImports('import tls from "node:tls";\n')).toBe(
    'const tls = new Proxy({}, { get: (_, key) => globalThis.process.getBuiltinModule("node:tls")[key] });\n',
  );
  expect(() => withoutBuiltinImports('import { connect } from "node:tls";\n')).toThrow('as a whole');
});

test('an import of another form does not pass unseen', () => {
  expect(() => withoutBuiltinImports('import "node:http";\n')).toThrow('cannot read import "node:http"');
});
