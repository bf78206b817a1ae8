/**
 * Settings that keep interfaces from sending or accepting anything that the slice did not ask for (IPv6, ARP,
 * redirects), set before they are up. Flags of the interface do the rest (`Link.arp`, `Link.multicast`), and
 * `filter.ts` drops what neither covers.
 */
import { existsSync } from 'node:fs';
import type { Link, Settings } from './state.ts';

const root = '/proc/sys/net';
/** Whether the kernel has IPv6: otherwise there is nothing to switch off. */
export const hasIpv6 = existsSync(`${root}/ipv6`);

/** Below this MTU the kernel has no IPv6 on an interface, and no settings for it. */
const leastIpv6Mtu = 1280;

const ipv4 = {
  accept_local: '0',
  accept_redirects: '0',
  accept_source_route: '0',
  arp_notify: '0',
  bc_forwarding: '0',
  proxy_arp: '0',
  route_localnet: '0',
  send_redirects: '0',
};

/** The last two matter when someone resets `all/disable_ipv6`, which changes every interface of the node. */
const ipv6 = { disable_ipv6: '1', accept_ra: '0', addr_gen_mode: '1' };

/**
 * Answers no ARP request. Only for interfaces that were made without `arp off`: changing the flag removes all
 * neighbours.
 */
const deafToArp = ['arp_ignore', '8'] as const;

const knownOf = (family: 'ipv4' | 'ipv6', values: Record<string, string>) =>
  Object.entries(values).filter(([name]) => existsSync(`${root}/${family}/conf/default/${name}`));

const ipv4Values = knownOf('ipv4', ipv4);
const ipv6Values = knownOf('ipv6', ipv6);

/** Returns the settings of an interface in the node's own stack, whose other interfaces keep their values. */
export function quietInterface({ name, mtu, arp }: Pick<Link, 'name' | 'mtu' | 'arp'>): Settings {
  const { v4, v6 } = { v4: `ipv4/conf/${name}`, v6: `ipv6/conf/${name}` };
  return new Map([
    ...ipv4Values.map(([setting, value]) => [`${v4}/${setting}`, value] as const),
    ...(arp ? [[`${v4}/${deafToArp[0]}`, deafToArp[1]] as const] : []),
    ...(hasIpv6At(mtu) ? ipv6Values.map(([setting, value]) => [`${v6}/${setting}`, value] as const) : []),
  ]);
}

/**
 * Returns the settings of a router namespace: for future interfaces (`default`), and for all (`all`), since the kernel
 * checks both for some.
 */
export function quietRouter(): Settings {
  const both = (name: string, value: string, family: string) =>
    ['all', 'default'].map((which) => [`${family}/conf/${which}/${name}`, value] as const);
  return new Map([
    ...ipv4Values.flatMap(([name, value]) => both(name, value, 'ipv4')),
    ...(hasIpv6 ? both('disable_ipv6', '1', 'ipv6') : []),
  ]);
}

/**
 * Returns the settings of an interface in a router namespace that an agent of an earlier version made, before there was
 * `quietRouter`.
 */
export function quietEarlierInterface({ name, arp }: Pick<Link, 'name' | 'arp'>): Settings {
  if (!arp) return new Map();
  return new Map([
    [`ipv4/conf/${name}/send_redirects`, '0'],
    [`ipv4/conf/${name}/${deafToArp[0]}`, deafToArp[1]],
  ]);
}

/**
 * Whether the kernel has IPv6 settings for an interface with that MTU. When it creates them again, they have the node's
 * values.
 */
export function hasIpv6At(mtu: number): boolean {
  return hasIpv6 && mtu >= leastIpv6Mtu;
}

/** Whether a file below /proc/sys/net is a setting of that interface. */
export function isSettingOf(file: string, name: string): boolean {
  return file.startsWith(`ipv4/conf/${name}/`) || file.startsWith(`ipv6/conf/${name}/`);
}
