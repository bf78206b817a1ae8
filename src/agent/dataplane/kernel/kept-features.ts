/**
 * What the trials of the kernel found, in a file for all agents on the node: the next agent, of whichever slice, need
 * not repeat them.
 */
import { readFileSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Feature } from '../../../vsys/messages.ts';
import { pathOf } from '../../has-program.ts';

export interface KeptFeatures {
  /** Returns nothing unless all were found under the same conditions. */
  read(): Feature[] | undefined;
  /** Does nothing where the file cannot be written. */
  write(features: readonly Feature[]): void;
}

/** `path`: in a directory that belongs to root. `conditions`: what the outcome of the trials depends on, as text. */
export function keptFeatures(path: string, conditions: () => string): KeptFeatures {
  return {
    read: () => {
      try {
        const kept = JSON.parse(readFileSync(path, 'utf8')) as { conditions?: unknown; features?: Feature[] };
        return kept.conditions === conditions() ? kept.features : undefined;
      } catch {
        // There is none, or another program wrote it: the trials say what it would.
        return undefined;
      }
    },
    write: (features) => {
      const fresh = `${path}.${process.pid}`;
      try {
        writeFileSync(fresh, JSON.stringify({ conditions: conditions(), features }), { mode: 0o600 });
        renameSync(fresh, path);
      } catch {
        rmSync(fresh, { force: true });
      }
    },
  };
}

/**
 * Returns the conditions of trials in words: the running kernel, the rights of this process, the agent's program
 * (`digest`), and the tools as they are now.
 */
export function trialConditions(digest: string): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const rights = /^CapEff:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  const tools = ['ip', 'tc', 'nft', 'nsenter'].map((name) => {
    const file = pathOf(name);
    return file === undefined ? name : `${file} ${statSync(file).ino} ${statSync(file).mtimeMs}`;
  });
  return [boot, readlinkSync('/proc/self/ns/user'), rights, digest, ...tools].join('; ');
}
