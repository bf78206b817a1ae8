/** Where this program's own files lie: in a checkout, whose sources run as they are, or in a built package. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Whether this is a build, in which one file may hold many modules. */
export const isBuilt = !import.meta.url.endsWith('.ts');

/** Full path of a file that is named as from the program's root. */
export function packageFile(path: string): string {
  let root = import.meta.dirname;
  while (!existsSync(join(root, 'package.json'))) root = dirname(root);
  return join(root, path);
}

/** The program's version. */
export function packageVersion(): string {
  return JSON.parse(readFileSync(packageFile('package.json'), 'utf8')).version;
}
