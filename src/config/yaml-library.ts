import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Loads `yaml`, which a gateway without a file in YAML does not need. The build knows this form of `require`. */
export function yaml(): typeof import('yaml') {
  return require('yaml') as typeof import('yaml');
}
