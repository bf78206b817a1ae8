/** The files of the published package, with a build of their own, so that nothing in the checkout changes. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Copies what `npm pack` takes from the checkout into an empty folder, and builds the program there. */
export function stagePackage(checkout: string, target: string): void {
  const { files } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { files: string[] };
  const whole = files.filter((name) => name !== 'dist' && !name.includes('*'));
  for (const name of ['package.json', 'README.md', 'LICENSE', ...whole]) {
    cpSync(join(checkout, name), join(target, name), { recursive: true });
  }
  // `src/cli/*.mjs`
  mkdirSync(join(target, 'src/cli'), { recursive: true });
  const programs = readdirSync(join(checkout, 'src/cli')).filter((name) => name.endsWith('.mjs'));
  for (const name of programs) {
    cpSync(join(checkout, 'src/cli', name), join(target, 'src/cli', name));
  }
  execFileSync(process.execPath, [join(checkout, 'src/cli/build.ts'), join(target, 'dist')], { stdio: 'inherit' });
}
