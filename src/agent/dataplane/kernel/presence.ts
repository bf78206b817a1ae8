/** Finds what may belong to a slice on this node: see vsys/presence.ts. */
import { readdir } from 'node:fs/promises';
import { VnmError } from '../../../model/errors.ts';
import type { Marks } from '../../../vsys/presence.ts';
import { run } from '../../run.ts';
import { ownStack } from '../planner/state.ts';
import { showBatch } from './ip.ts';
import type { LinkJson, RuleJson } from './parse.ts';

export async function readMarks(): Promise<Marks> {
  const [[links, rules], namespaces, filters] = await Promise.all([
    showBatch('ip', ownStack, [
      ['link', 'show'],
      ['rule', 'show'],
    ]) as Promise<[LinkJson[], RuleJson[]]>,
    listAllNamespaces(),
    listFilters(),
  ]);
  return {
    interfaces: links.map(({ ifname }) => ifname),
    namespaces,
    rules: rules.map(({ priority, table = '' }) => ({ priority, table, words: `${priority} lookup ${table}` })),
    filters,
  };
}

/** Lists namespaces, whoever made them. */
export async function listAllNamespaces(): Promise<string[]> {
  return readdir('/run/netns').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

/** Returns none if the node has no `nft`, or no kernel support for it. */
async function listFilters(): Promise<string[]> {
  try {
    const { stdout } = await run('nft', ['list', 'tables']);
    return [...stdout.matchAll(/^table \S+ (\S+)$/gm)].map(([, name]) => name!);
  } catch (error) {
    if (error instanceof VnmError && error.code === 'unsupported') return [];
    throw error;
  }
}
