/** What is to be taken back unless it is confirmed, in a file: an agent that is killed meanwhile leaves it to the next one. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Command, Step } from './commands.ts';

export interface PendingFile {
  /** What undoes these commands, in place of what was there; none: there is no file. */
  write(commands: readonly Command[]): void;
  /** Steps in the order in which they are to be done. Throws for a file that is none of an agent's. */
  read(): Step[];
}

/** `path` is in a directory of root's. */
export function pendingFile(path: string): PendingFile {
  return {
    write: (commands) => {
      if (commands.length === 0) return rmSync(path, { force: true });
      writeFileSync(`${path}.new`, JSON.stringify(undoSteps(commands), listMaps), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
    read: () => {
      try {
        return JSON.parse(readFileSync(path, 'utf8'), toMaps) as Step[];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
    },
  };
}

export function undoSteps(commands: readonly Command[]): Step[] {
  return commands.toReversed().flatMap((command) => command.undo);
}

function listMaps(_key: string, value: unknown): unknown {
  return value instanceof Map ? [...value] : value;
}

function toMaps(key: string, value: unknown): unknown {
  return key === 'settings' ? new Map(value as [string, string][]) : value;
}
