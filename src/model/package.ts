/** Finds this program's own files: in a checkout, which runs from its sources, or in a built package. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Whether this is a build, where one file may contain many modules. */
export const isBuilt = !import.meta.url.endsWith('.ts');

/** The full path of a file, given its path from the package's root. */
export function packageFile(path: string): string {
  let root = import.meta.dirname;
  while (!existsSync(join(root, 'package.json'))) root = dirname(root);
  return join(root, path);
}

/** The program's version. */
export function packageVersion(): string {
  return JSON.parse(readFileSync(packageFile('package.json'), 'utf8')).version;
}
