/**
 * How the links of a router reach its virtual machine. Each link's interface is joined at layer 2 with a tap of the
 * guest: what arrives at one leaves by the other, and no bridge learns anything. Only ARP ends at the tap, which has
 * the address and the MAC address of the neighbour and so answers for it: neighbours themselves are deaf to ARP
 * (decision 4). The rules are in one table in the router's namespace, at the ingress hook of the links and the taps, so
 * that another state of the ports holds from one packet to the next. Pure: the lines for `ip` and `nft`, and what `nft`
 * shows.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Machine, type MachinePort, type PortState, portStates } from '../../../vsys/machine.ts';
import { fixtureProtocol } from './state.ts';

/** So many packets wait while the guest stands still. */
const queuePackets = 10_000;

const table = 'netdev pl-vnm-machine';
const chain = 'arriving';

/** The tap of the guest's device with this number; no link of a slice has such a name. */
export function tapName(index: number): string {
  return `vm${index}`;
}

export function isTap({ ifname, linkinfo }: { ifname: string; linkinfo?: { info_kind?: string } }): boolean {
  return linkinfo?.info_kind === 'tun' && isTapName(ifname);
}

export function isTapName(name: string): boolean {
  return /^vm\d+$/.test(name);
}

/** Lines of `ip` that make a tap. */
export function tapLines({ address, peer }: MachinePort, index: number, mtu: number): string[] {
  const tap = tapName(index);
  return [
    `tuntap add dev ${tap} mode tap vnet_hdr`,
    `link set dev ${tap} address ${peer.mac} mtu ${mtu} txqueuelen ${queuePackets} arp on multicast off up`,
    `address add ${peer.address}/32 dev ${tap} noprefixroute`,
    `route replace ${address}/32 dev ${tap} proto ${fixtureProtocol}`,
  ];
}

/** How the ports of a machine are, as far as the planner has to know. */
export interface Ports {
  readonly ports: Machine['ports'];
  readonly state: PortState;
}

interface Rule {
  /** Says what the rule does, and where; the way `nft` shows rules depends on its version. */
  readonly name: string;
  readonly device: string;
  readonly words: string;
}

function rulesOf({ ports, state }: Ports): Rule[] {
  const own = ports.map(({ address }) => address).join(', ');
  return ports.flatMap(({ interface: link }, index): Rule[] => {
    const tap = tapName(index);
    const rule = (what: string, device: string, words: string) => ({
      name: `pl-vnm 1 ${state} ${what} ${link}`,
      device,
      words,
    });
    return [
      rule('in', link, state === 'closed' ? 'drop' : `fwd to "${tap}"`),
      rule('answer', tap, 'ether type arp accept'),
      ...(state === 'leaving' ? [rule('own', tap, `ip saddr { ${own} } drop`)] : []),
      rule('out', tap, state === 'closed' ? 'drop' : `fwd to "${link}"`),
    ];
  });
}

/** The names of the rules that there must be, in their order. */
export function ruleNames(ports: Ports): string[] {
  return rulesOf(ports).map(({ name }) => name);
}

/** The state in which these rules leave the ports; `damaged` if they are not whole. */
export function portState(ports: Machine['ports'], rules: readonly string[] = []): PortState | 'damaged' {
  return portStates.find((state) => isDeepStrictEqual(ruleNames({ ports, state }), rules)) ?? 'damaged';
}

/** Lines of `nft` that replace the table, whether or not there is one; without ports they remove it. */
export function portLines(wanted: Ports | undefined): string[] {
  const remove = [`add table ${table}`, `delete table ${table}`];
  if (wanted === undefined || wanted.ports.length === 0) return remove;
  const devices = wanted.ports.flatMap(({ interface: link }, index) => [link, tapName(index)]);
  return [
    ...remove,
    `add table ${table}`,
    `add chain ${table} ${chain} { type filter hook ingress devices = { ${devices.join(', ')} } priority 0 ; policy accept ; }`,
    ...rulesOf(wanted).map(
      ({ name, device, words }) => `add rule ${table} ${chain} iifname "${device}" ${words} comment "${name}"`,
    ),
  ];
}

export const listPortWords: readonly string[] = ['-j', '-n', 'list', 'table', ...table.split(' ')];

/** Returns the names of the rules that `nft` shows. */
export function parsePortRules({ nftables }: { nftables: readonly { rule?: { comment?: string } }[] }): string[] {
  return nftables.flatMap(({ rule }) => (rule === undefined ? [] : [rule.comment ?? '']));
}
