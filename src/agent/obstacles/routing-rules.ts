/** Routing rules that precede those of the slice and take its packets. Pure. */
import { overlaps, type Prefix, parsePrefix } from '../../model/address.ts';
import type { Obstacle } from '../../vsys/obstacle.ts';
import { prefixOf } from '../dataplane/kernel/parse.ts';

/** The format of `ip -json rule show`. */
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

/** Fields that only select packets by address and say where they go. */
const understood = ['priority', 'src', 'srclen', 'dst', 'dstlen', 'table', 'fwmark', 'fwmask', 'not', 'protocol'];

/** `destinations`: returns the prefixes of a table's routes. */
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
        message: `routing rule ${rule.priority} precedes the rules of the slice (${priority}) and sends ${vnet} to table ${rule.table} (route to ${route})`,
        hint: `give that rule a priority above ${priority}, or exclude ${vnet} from it`,
        blocks: true,
      },
    ];
  });
}

/**
 * Whether the table holds the node's own addresses, which takes precedence everywhere; `255` where the node has no
 * table names.
 */
export const isLocal = (table: string) => table === 'local' || table === '255';

/** Whether the rule certainly takes unmarked packets of the subnet. */
function takes(rule: RuleJson, subnet: Prefix): boolean {
  if (Object.keys(rule).some((key) => !understood.includes(key))) return false;
  const isMeant = (address: string | undefined, length: number | undefined) =>
    address === undefined || address === 'all' || overlaps(prefixOf(`${address}/${length ?? 32}`), subnet);
  const isByAddress = isMeant(rule.src, rule.srclen) && isMeant(rule.dst, rule.dstlen);
  const isMarked = rule.fwmark !== undefined && Number(rule.fwmark) !== 0;
  if (rule.not === undefined) return isByAddress && !isMarked;
  // The rule takes all other packets, so it takes unmarked ones.
  return isMarked || !isByAddress;
}
