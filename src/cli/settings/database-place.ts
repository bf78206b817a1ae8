/** Where the database is if no option, variable or file says it. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isBuilt } from '../../model/package.ts';
import { stateFolder } from '../../model/user-folders.ts';

export interface DatabasePlace {
  readonly path: string;
  /** Why it is there, for people. */
  readonly reason: string;
}

interface Around {
  readonly directory?: string;
  readonly isInstalled?: boolean;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * Returns the database in the working directory if it exists; else one next to the first slice file that has one; else
 * where a new one belongs: for an installed program in the user's state folder, for a checkout in the working
 * directory. The order keeps the database of whoever has one in the working directory.
 */
export function databasePlace(
  sliceFiles: readonly string[],
  { directory = '.', isInstalled = isBuilt, environment = process.env }: Around = {},
): DatabasePlace {
  const here = `${directory}/pl-vnm.db`;
  if (existsSync(here)) return { path: here, reason: 'it is in the working directory' };
  const near = sliceFiles.map((file) => join(dirname(file), 'pl-vnm.db')).find((path) => existsSync(path));
  if (near !== undefined) return { path: near, reason: 'it is next to the slice file' };
  if (!isInstalled) return { path: here, reason: 'the place in the working directory, for a checkout' };
  return { path: join(stateFolder(environment), 'pl-vnm.db'), reason: "the place in the user's state folder" };
}
