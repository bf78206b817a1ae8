/** Which daemon each namespace must have, kept on disk for the next agent. In a directory that only root can access. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootId } from '../../model/process-start.ts';
import type { Daemon } from '../../vsys/operations.ts';

/**
 * The steps of a move to another node. `dumping`: the original runs on if anything fails. `dumped`: it is stopped, and
 * only the controller knows whether its copy runs. `restoring`: here the copy is made, which does not count yet.
 */
export type MoveStep = 'dumping' | 'dumped' | 'restoring';

interface DaemonRecord {
  readonly namespace: string;
  readonly daemon: Daemon;
  /** Identifies the network namespace, which may have been replaced by another one of that name. */
  readonly netns: number;
  /** False from before its start until it has its configuration: a process that runs may then lack it. */
  readonly isReady: boolean;
  /** Present while the daemon moves. */
  readonly move?: MoveStep;
  /** From before it leaves until its processes have ended: the next agent ends them. */
  readonly isLeaving?: true;
}

/** As in the file. */
interface Saved extends DaemonRecord {
  readonly boot: string;
}

export interface DaemonRecords {
  /** Of this boot of the machine: namespaces and processes of another one have gone. */
  read(): DaemonRecord[];
  write(record: DaemonRecord): void;
  remove(namespace: string): void;
}

export function daemonRecords(directory: string): DaemonRecords {
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
