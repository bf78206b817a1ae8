/** What routers and interfaces need in files below /proc/sys/net. Pure. */

import type { RouterProgram } from '../../../model/daemon.ts';
import type { UrpfMode } from '../../../model/route.ts';
import { quietEarlierInterface, quietInterface, quietRouter } from './quiet.ts';
import type { Link, Settings } from './state.ts';

/**
 * Returns the value of rp_filter. The kernel checks an interface by the larger of `conf/all` and its own value.
 * Feasible mode is a strict check of all members of a group.
 */
function reversePathValue(urpf: UrpfMode): string {
  return urpf === 'loose' ? '2' : '1';
}

/**
 * Returns the settings of a router namespace. The mode is only in `all`, so that it applies to every interface and can
 * be changed.
 */
export function routerSettings(urpf: UrpfMode): Settings {
  return new Map([
    ['ipv4/ip_forward', '1'],
    ['ipv4/conf/default/rp_filter', '0'],
    ['ipv4/conf/all/rp_filter', reversePathValue(urpf)],
    ...nexthopSettings(),
    // Each probe must be answered by "port unreachable".
    ['ipv4/icmp_ratelimit', '0'],
    ...quietRouter(),
  ]);
}

/**
 * Whether the kernel shows the next hops of routes that use a nexthop object. FRR's routes use one, and without this
 * `ip` shows them by their id only, and does not report when the object leads elsewhere. Elsewhere a redirected group
 * need not send a notification for each of its routes.
 */
export function nexthopSettings(kind?: RouterProgram): Settings {
  return new Map([['ipv4/nexthop_compat_mode', kind === 'frr' ? '1' : '0']]);
}

/** Returns the files to read of a router namespace with these interfaces. */
export function routerSettingFiles(links: readonly Link[]): string[] {
  return [...routerSettings('strict').keys(), ...links.flatMap((link) => [...quietEarlierInterface(link).keys()])];
}

/** Returns the settings of one interface of the node's own stack; without a mode its check stays as the node has it. */
export function interfaceSettings(name: string, urpf?: UrpfMode): Settings {
  return new Map([
    [`ipv4/conf/${name}/forwarding`, '1'],
    ...(urpf === undefined ? [] : ([[`ipv4/conf/${name}/rp_filter`, reversePathValue(urpf)]] as const)),
  ]);
}

export function interfaceSettingFiles(link: Link): string[] {
  return [...interfaceSettings(link.name, 'strict').keys(), ...quietInterface(link).keys()];
}
