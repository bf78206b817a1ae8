import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { environment } from './run.ts';

/** Whether the agent finds a program by its name. */
export function hasProgram(name: string): boolean {
  return pathOf(name) !== undefined;
}

/** Returns where the agent finds a program. */
export function pathOf(name: string): string | undefined {
  const paths = environment.PATH.split(':').map((directory) => join(directory, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
