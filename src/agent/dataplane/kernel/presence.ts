/** What there is on this node that may be a slice's: see vsys/presence.ts. */
import { readdir } from 'node:fs/promises';
import { VnmError } from '../../../model/errors.ts';
import type { Marks } from '../../../vsys/presence.ts';
import { ownStack, showBatch } from './ip.ts';
import type { LinkJson, RuleJson } from './parse.ts';
import { run } from './run.ts';

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

/** Whoever made them. */
export async function listAllNamespaces(): Promise<string[]> {
  return readdir('/run/netns').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

/** None where the node has no `nft`, or nothing for it in the kernel. */
async function listFilters(): Promise<string[]> {
  try {
    const { stdout } = await run('nft', ['list', 'tables']);
    return [...stdout.matchAll(/^table \S+ (\S+)$/gm)].map(([, name]) => name!);
  } catch (error) {
    if (error instanceof VnmError && error.code === 'unsupported') return [];
    throw error;
  }
}
