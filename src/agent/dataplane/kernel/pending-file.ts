/**
 * Keeps in a file what must be undone unless it is confirmed: if an agent is killed meanwhile, the next one finds it.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Command, Step } from '../planner/commands.ts';

export interface PendingFile {
  /** Writes the steps that undo these commands, replacing the file; without commands removes the file. */
  write(commands: readonly Command[]): void;
  /** Returns the steps in the order in which to run them. Throws for a file that an agent did not write. */
  read(): Step[];
}

/** `path`: in a directory that belongs to root. */
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
