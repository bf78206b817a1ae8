import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Testbed, TestbedNode } from '../../src/testbed/record.ts';
import { leftovers } from '../testbed/leftovers.ts';
import { type CommandLine, commandLine } from './command-line.ts';

/** Enough for the largest testbed on a busy machine. */
const patienceMs = 180_000;

export interface OwnTestbed {
  readonly vnm: CommandLine;
  readonly testbed: Testbed;
  /** Returns the network namespace of a node. */
  namespace(node: string): string;
}

/**
 * Sets up a local testbed for the current suite: up before its tests and down after them, without leftovers. `slice` is
 * a slice file, or a function that writes one to a directory and returns its path.
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

/** Returns everything left of the testbeds of a database. */
export function leftoversOf({ database }: CommandLine, id: string): string[] {
  return leftovers({ id, directory: join(`${database}.testbed`, id) });
}

/** The text of a slice file, with the places of a running testbed as if its nodes were remote hosts. */
export function withHosts(file: string, nodes: readonly TestbedNode[]): string {
  return nodes.reduce(
    (text, { name, host, port, key, address }) => {
      const place = JSON.stringify({ host, port, key, address });
      return text.replace(`    ${name}: {}\n`, `    ${name}: ${place}\n`);
    },
    readFileSync(file, 'utf8'),
  );
}
