import type { Draft } from '../draft.ts';
import { atKey, atValue, type Problem } from '../fault.ts';
import { quote } from '../words.ts';
import { checkPairs, type PairRules } from './pairs.ts';
import { aNode } from './references.ts';

/** Checks the nodes and the latencies between them. */
export function checkSubstrate({ nodes, latencyLinks }: Draft): Problem[] {
  const none = nodes.names?.size === 0 ? [atValue(nodes.path, 'no substrate node', 'add one: n1: {}')] : [];
  const unreachable = nodes.entries
    .filter(({ address, hasHost }) => address !== undefined && !hasHost)
    .map(({ name, path }) =>
      atKey(
        [...path, 'address'],
        `node ${quote(name)} has an address but no host`,
        'add its host, or remove the address',
      ),
    );
  const wayless = nodes.entries
    .filter(({ hasWay, hasHost }) => hasWay && !hasHost)
    .map(({ name, path }) =>
      atKey([...path, 'ssh'], `node ${quote(name)} has a way for SSH but no host`, "add its host, or remove 'ssh'"),
    );
  return [...none, ...unreachable, ...wayless, ...checkPairs(latencyLinks, nodes, latencyRules)];
}

const latencyRules: PairRules = {
  ends: aNode,
  directed: false,
  loop: (node) => [`latency from node ${node} to itself`, 'it is always 0; remove this entry'],
  again: (from, to) => [
    `the latency between ${from} and ${to} is listed twice`,
    'one entry holds both directions: [from, to, ms, back]',
  ],
};
