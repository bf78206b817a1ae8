/**
 * OSPF packets that arrive at a router which moves: the rules for `nft`, and what `nft` and `tc` show. One table in the
 * router's namespace, at the ingress hook of its tunnels, copies them to the router's other place, or passes them
 * through a gate, an `ifb` device. Unlike an ingress qdisc, such a hook is added and removed without loss. The device
 * exists for as long as the table may, and so shows where there is one. Pure.
 *
 * A copy leaves by the tunnel where the packet arrived, and arrives at the same tunnel of the other place, as if the
 * neighbour had sent it there. An entry for the router's own MAC address leads it. Its source says that it is a copy,
 * which is never copied: two places may send to each other.
 */
import { openGate, type QdiscJson } from './gate.ts';
import { type Control, type ControlCounts, type Gate, type Link, linkAt, type Place, type Stack } from './state.ts';

const table = 'netdev pl-vnm-control';
const chain = 'arriving';
/** RFC 2328, appendix A.1. */
const ospf = 'ip protocol 89';
/** The source of a copy. No interface has it: it would be that of 0.0.0.89. */
const copyMac = '02:50:00:00:00:59';

/** The group of all OSPF routers (RFC 2328, appendix A.1): a daemon listens where it has joined it. */
export const ospfGroup = '224.0.0.5';

/** Returns the place of the device in a router's namespace. */
export function controlDevice(interfacePrefix: string, namespace: string): Place {
  return { namespace, name: `${interfacePrefix}ctl` };
}

export function hasControl(state: { readonly stacks: ReadonlyMap<string, Stack> }, device: Place): boolean {
  return linkAt(state, device)?.kind === 'ifb';
}

export function controlGate(closed: boolean): Gate {
  return { ...openGate(0), closed, paced: true };
}

/** Returns the lines of a script that replaces the table, whether or not there is one. */
export function controlLines(device: Place, links: Stack['links'], control: Control | undefined): readonly string[] {
  const remove = [`add table ${table}`, `delete table ${table}`];
  if (control === undefined) return remove;
  const { tunnels, sendTo, gated } = control;
  const rule = (name: string, words: string, what: string) =>
    `add rule ${table} ${chain} iifname "${name}" ${words} comment "${mark} ${what}"`;
  const copy = (mac = '') => `ether saddr != ${copyMac} ${ospf} ether saddr set ${copyMac} ether daddr set ${mac}`;
  return [
    ...remove,
    `add table ${table}`,
    `add chain ${table} ${chain} { type filter hook ingress devices = { ${tunnels.join(', ')} } priority 0 ; policy accept ; }`,
    ...tunnels.flatMap((name) => [
      ...(sendTo === undefined
        ? []
        : [rule(name, `${copy(links.get(name)?.mac)} counter dup to "${name}"`, `send ${name} ${sendTo}`)]),
      ...(gated ? [rule(name, `${ospf} counter fwd to "${device.name}"`, `hold ${name}`)] : []),
    ]),
  ];
}

/** Begins the names of rules, which `parseControl` reads: the way `nft` shows rules depends on its version. */
const mark = 'pl-vnm 1';
const named = new RegExp(`^${mark} (send|hold) (\\S+)(?: (\\S+))?$`);

export const listControlWords: readonly string[] = ['-j', '-n', 'list', 'table', ...table.split(' ')];

/** The parts of `nft`'s JSON that are read. */
export interface ControlJson {
  nftables: readonly { rule?: { comment?: string; expr?: readonly { counter?: { packets: number } }[] } }[];
}

/** Returns what the table does, and what it and the device's bucket have counted. */
export function parseControl(
  { nftables }: ControlJson,
  qdiscs: readonly QdiscJson[],
): Required<Pick<Stack, 'control' | 'controlCounts'>> {
  const rules = nftables.flatMap(({ rule }) => {
    const [, does, name = '', sendTo] = named.exec(rule?.comment ?? '') ?? [];
    const packets = rule?.expr?.find(({ counter }) => counter !== undefined)?.counter?.packets ?? 0;
    return does === undefined ? [] : [{ does, name, sendTo, packets }];
  });
  const [sending, holding] = ['send', 'hold'].map((wanted) => rules.filter(({ does }) => does === wanted)) as [
    typeof rules,
    typeof rules,
  ];
  const sendTo = sending[0]?.sendTo;
  const counts: ControlCounts = {
    sent: sending.reduce((sum, { packets }) => sum + packets, 0),
    held: new Map(holding.map(({ name, packets }) => [name, packets])),
    dropped: qdiscs.reduce((sum, { drops = 0 }) => sum + drops, 0),
    waitingBytes: qdiscs.reduce((sum, { backlog = 0 }) => sum + backlog, 0),
  };
  return {
    control: {
      tunnels: [...new Set(rules.map(({ name }) => name))].sort(),
      ...(sendTo === undefined ? {} : { sendTo }),
      gated: holding.length > 0,
    },
    controlCounts: counts,
  };
}

/** The tunnels of a router whose OSPF packets can be led elsewhere. */
export function controlTunnels(links: Iterable<Link>): string[] {
  return [...links]
    .filter(({ vxlan, mac }) => vxlan !== undefined && mac !== undefined)
    .map(({ name }) => name)
    .sort();
}
