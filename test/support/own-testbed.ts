import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Testbed } from '../../src/testbed/record.ts';
import { leftovers } from '../testbed/leftovers.ts';
import { type CommandLine, commandLine } from './command-line.ts';

/** For the largest on a busy machine. */
const patienceMs = 180_000;

export interface OwnTestbed {
  readonly vnm: CommandLine;
  readonly testbed: Testbed;
  /** The network namespace that is a node. */
  namespace(node: string): string;
}

/**
 * A local testbed for the suite it is called in: up before its tests, down after them, and then nothing of it may be left.
 * `slice`: a slice file, or what writes one into a directory and answers its path.
 */
export function ownTestbed(slice: string | ((directory: string) => string), ...options: string[]): OwnTestbed {
  let vnm: CommandLine;
  let testbed: Testbed;
  beforeAll(async () => {
    vnm = commandLine();
    const file = typeof slice === 'string' ? slice : slice(vnm.directory);
    testbed = await vnm.ok<Testbed>('testbed up', file, ...options);
  }, patienceMs);
  afterAll(async () => {
    const { removed } = await vnm.ok<{ removed: string[] }>('testbed down');
    expect(removed.flatMap((id) => leftoversOf(vnm, id))).toEqual([]);
    vnm.remove();
  }, patienceMs);
  return {
    get vnm() {
      return vnm;
    },
    get testbed() {
      return testbed;
    },
    namespace: (node) => testbed.nodes.find(({ name }) => name === node)!.namespace,
  };
}

/** All that is left of a testbed of this database. */
export function leftoversOf({ database }: CommandLine, id: string): string[] {
  return leftovers({ id, directory: join(`${database}.testbed`, id) });
}
