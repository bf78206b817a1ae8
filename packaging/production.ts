/** The packages that the program needs when it runs, as package-lock.json has them. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** An installed package. */
export interface InstalledPackage {
  /** Its folder in the checkout, like `node_modules/zod`. */
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

interface Locked {
  readonly dev?: boolean;
  readonly optional?: boolean;
}

/**
 * Returns the packages that are not for development only. Optional ones for other machines are not installed, and
 * left out. Throws an Error if another one is missing.
 */
export function productionPackages(checkout: string): InstalledPackage[] {
  const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8'));
  return Object.entries<Locked>(lock.packages).flatMap(([folder, { dev, optional }]) => {
    if (folder === '' || dev === true) return [];
    const manifest = join(checkout, folder, 'package.json');
    if (existsSync(manifest)) {
      const { name, version, license } = JSON.parse(readFileSync(manifest, 'utf8'));
      return [{ folder, name, version, license: typeof license === 'string' ? license : 'see its folder' }];
    }
    if (optional === true) return [];
    throw new Error(`${folder} is not installed: run 'npm run setup'`);
  });
}

/** Copies them, each without the packages inside it that are for development only. */
export function copyPackages(checkout: string, packages: readonly InstalledPackage[], target: string): void {
  for (const { folder } of packages) {
    const inside = join(checkout, folder, 'node_modules');
    cpSync(join(checkout, folder), join(target, folder), {
      recursive: true,
      // Types and source maps are for programmers.
      filter: (path) => path !== inside && !/\.(d\.[cm]?ts|map)$/.test(path),
    });
  }
}
