/** Routing rules that come before those of the slice and take its packets: pure. */
import { overlaps, type Prefix, parsePrefix } from '../../model/address.ts';
import type { Obstacle } from '../../vsys/obstacle.ts';
import { prefixOf } from '../dataplane/kernel/parse.ts';

/** As `ip -json rule show` prints it. */
export interface RuleJson {
  readonly priority: number;
  readonly src?: string;
  readonly srclen?: number;
  readonly dst?: string;
  readonly dstlen?: number;
  readonly table?: string;
  readonly fwmark?: string;
  readonly not?: null;
  readonly [other: string]: unknown;
}

/** Fields that say no more than which packets by address, and what becomes of them. */
const understood = ['priority', 'src', 'srclen', 'dst', 'dstlen', 'table', 'fwmark', 'fwmask', 'not', 'protocol'];

/** `destinations`: the prefixes of a table's routes. */
export function ruleObstacles(
  rules: readonly RuleJson[],
  destinations: (table: string) => readonly string[],
  { vnet, priority }: { readonly vnet: string; readonly priority: number },
): Obstacle[] {
  const subnet = parsePrefix(vnet);
  return rules.flatMap((rule): Obstacle[] => {
    if (rule.priority >= priority || rule.table === undefined || isLocal(rule.table)) return [];
    if (!takes(rule, subnet)) return [];
    const route = destinations(rule.table).find((prefix) => overlaps(prefixOf(prefix), subnet));
    if (route === undefined) return [];
    return [
      {
        kind: 'routing-rule',
        message: `routing rule ${rule.priority} comes before those of the slice (${priority}) and leads ${vnet} into table ${rule.table} (route to ${route})`,
        hint: `give that rule a priority above ${priority}, or leave ${vnet} out of it`,
        blocks: true,
      },
    ];
  });
}

/** The node's own addresses, which come first everywhere; a number where the node has no names for tables. */
export const isLocal = (table: string) => table === 'local' || table === '255';

/** Whether it takes packets of the subnet without a mark, for certain. */
function takes(rule: RuleJson, subnet: Prefix): boolean {
  if (Object.keys(rule).some((key) => !understood.includes(key))) return false;
  const isMeant = (address: string | undefined, length: number | undefined) =>
    address === undefined || address === 'all' || overlaps(prefixOf(`${address}/${length ?? 32}`), subnet);
  const isByAddress = isMeant(rule.src, rule.srclen) && isMeant(rule.dst, rule.dstlen);
  const isMarked = rule.fwmark !== undefined && Number(rule.fwmark) !== 0;
  if (rule.not === undefined) return isByAddress && !isMarked;
  // All but those: without a mark they are among the others.
  return isMarked || !isByAddress;
}
