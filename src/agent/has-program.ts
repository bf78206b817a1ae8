import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { environment } from './run.ts';

/** Whether the agent finds a program by its name. */
export function hasProgram(name: string): boolean {
  return environment.PATH.split(':').some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
