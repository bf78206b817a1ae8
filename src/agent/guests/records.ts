/**
 * Which machine each namespace must have, kept on disk for the next agent. In a directory that only root can access.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootId } from '../../model/process-start.ts';
import type { Machine } from '../../vsys/machine.ts';

/**
 * The steps of a move to another node. `copying`: the original runs on if anything fails. `standing`: it stands still,
 * and only the controller knows whether its copy runs. `arriving`: here the copy is made, which does not count yet.
 * `arrived`: it is complete, and stands still.
 */
export type GuestMove = 'copying' | 'standing' | 'arriving' | 'arrived';

interface GuestRecord {
  readonly namespace: string;
  readonly machine: Machine;
  /** Identifies the network namespace, which may have been replaced by another one of that name. */
  readonly netns: number;
  /** Present while the guest moves. */
  readonly move?: GuestMove;
}

/** As in the file. */
interface Saved extends GuestRecord {
  readonly boot: string;
}

interface GuestRecords {
  /** Of this boot of the machine: namespaces and processes of another one have gone. */
  read(): GuestRecord[];
  write(record: GuestRecord): void;
  remove(namespace: string): void;
}

export function guestRecords(directory: string): GuestRecords {
  const pathOf = (namespace: string) => join(directory, `${namespace}.json`);
  return {
    read() {
      const names = listed(directory).filter((name) => name.endsWith('.json'));
      const saved = names.map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as Saved);
      return saved.filter(({ boot }) => boot === bootId()).map(({ boot: _, ...record }) => record);
    },
    write(record) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const path = pathOf(record.namespace);
      writeFileSync(`${path}.new`, JSON.stringify({ ...record, boot: bootId() } satisfies Saved), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
    remove: (namespace) => rmSync(pathOf(namespace), { force: true }),
  };
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
