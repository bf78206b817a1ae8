/** The program as the tests run it: built once until its sources change, with the layout of the published package. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
/** The files that `npm pack` takes from the checkout, besides the build. */
const asTheyAre = ['package.json', 'schema.sql', 'slices', 'src/cli'];

/** Returns the path of its `pl-vnm.mjs`. */
export function builtProgram(): string {
  const builds = join(checkout, 'node_modules/.cache/programs');
  const directory = join(builds, digestOfSources());
  if (!existsSync(directory)) build(builds, directory);
  return join(directory, 'src/cli/pl-vnm.mjs');
}

function build(builds: string, directory: string): void {
  mkdirSync(builds, { recursive: true });
  const partial = mkdtempSync(join(builds, 'partial-'));
  for (const name of asTheyAre) {
    cpSync(join(checkout, name), join(partial, name), { recursive: true, filter: (path) => !path.endsWith('.ts') });
  }
  execFileSync(process.execPath, [join(checkout, 'src/cli/build.ts'), join(partial, 'dist')]);
  try {
    renameSync(partial, directory);
  } catch (error) {
    // Another test has built it first.
    rmSync(partial, { recursive: true });
    if (!existsSync(directory)) throw error;
  }
}

function digestOfSources(): string {
  const sources = readdirSync(join(checkout, 'src'), { recursive: true, encoding: 'utf8' });
  const names = [
    ...sources.filter((name) => /\.m?ts$|\.mjs$/.test(name)).map((name) => join('src', name)),
    ...readdirSync(join(checkout, 'slices')).map((name) => join('slices', name)),
    'package.json',
    'package-lock.json',
    'schema.sql',
  ];
  const hash = createHash('sha256');
  for (const name of names.sort()) hash.update(`${name}\0`).update(readFileSync(join(checkout, name)));
  return hash.digest('hex').slice(0, 16);
}
