/**
 * Finds what the slice's subnet would take from this node: the slice's rules send all packets from and to the subnet to
 * the slice's table, whoever sends them. And what its number would take from other slices. Pure.
 */
import {
  containsAddress,
  formatPrefix,
  overlaps,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '../../../model/address.ts';
import { describeCollision } from '../../../vsys/collision.ts';
import type { Collision } from '../../../vsys/messages.ts';
import { type Policy, sharedBy } from '../../../vsys/policy.ts';
import type { OtherSlice } from '../../other-slices.ts';
import { kernelProtocol } from '../planner/state.ts';
import type { NodeNetwork } from './node-network.ts';
import { type LinkJson, prefixOf, type RouteJson, type RuleJson } from './parse.ts';

/**
 * The longest prefix of a route that does not show where the node's networks are: a default route, or one of its two
 * halves, which VPNs use.
 */
const longestDefault = 1;
const localTable = '255';
const tableNames = new Map([
  ['253', 'default'],
  ['254', 'main'],
  [localTable, 'local'],
]);
const unicast = '1';

/** `others`: the slices whose policies apply on this node. */
export function findCollisions(policy: Policy, network: NodeNetwork, others: readonly OtherSlice[]): Collision[] {
  const vnet = parsePrefix(policy.vnet);
  const links = network.links.filter(({ ifname }) => !ifname.startsWith(policy.interfacePrefix));
  const found = [
    ...links.flatMap((link) => addressCollisions(link, vnet, others)),
    ...network.routes.flatMap((route) => routeCollisions(route, policy, vnet, links, others)),
    ...network.rules.flatMap((rule) => ruleCollisions(rule, policy, vnet, others)),
    ...[...links, ...network.routerLinks].flatMap((link) => tunnelCollisions(link, vnet, others)),
    ...network.peers.flatMap((peer) => peerCollisions(peer, vnet)),
    ...others.flatMap((other) => policyCollisions(policy, vnet, other)),
  ];
  return [...new Map(found.map((collision) => [describeCollision(collision), collision])).values()];
}

function addressCollisions({ ifname, addr_info = [] }: LinkJson, vnet: Prefix, others: readonly OtherSlice[]) {
  const owner = others.find(({ policy }) => ifname.startsWith(policy.interfacePrefix));
  return addr_info
    .filter(({ family }) => family === 'inet')
    .flatMap(({ local, prefixlen, address: peer }) => [
      ...(isIn(vnet, local) ? [collision(`address ${local}/${prefixlen} of interface '${ifname}'`, owner)] : []),
      ...(isIn(vnet, peer) ? [collision(`peer address ${peer} of interface '${ifname}'`, owner)] : []),
    ]);
}

function routeCollisions(
  route: RouteJson,
  policy: Policy,
  vnet: Prefix,
  links: readonly LinkJson[],
  others: readonly OtherSlice[],
): Collision[] {
  const { dst, table = '254', nexthops = [route] } = route;
  const interfaces = nexthops.flatMap(({ dev }) => dev ?? []);
  // The kernel keeps the slice's own addresses in the local table.
  if (table === String(policy.table) || interfaces.some((name) => name.startsWith(policy.interfacePrefix))) return [];
  const owner = others.find((other) => String(other.policy.table) === table);
  const where = [`table ${tableNames.get(table) ?? table}`, ...interfaces.map((name) => `interface '${name}'`)];
  const prefix = prefixOf(dst);
  const own =
    prefix.length <= longestDefault || !overlaps(prefix, vnet) || comesWithAddress(route, vnet, links)
      ? []
      : [
          collision(
            `${route.type === unicast ? 'route' : 'entry'} ${formatPrefix(prefix)} (${where.join(', ')})`,
            owner,
          ),
        ];
  const gateways = nexthops.flatMap(({ gateway }) => (isIn(vnet, gateway) ? [gateway] : []));
  const name = prefix.length === 0 ? 'the default route' : `route ${formatPrefix(prefix)}`;
  return [
    ...own,
    ...gateways.map((gateway) => collision(`gateway ${gateway} of ${name} (${where.join(', ')})`, owner)),
  ];
}

/** Whether the address for which the kernel created this entry is already reported. */
function comesWithAddress({ protocol, prefsrc }: RouteJson, vnet: Prefix, links: readonly LinkJson[]): boolean {
  const isThere = links.some(({ addr_info = [] }) => addr_info.some(({ local }) => local === prefsrc));
  return Number(protocol) === kernelProtocol && isThere && isIn(vnet, prefsrc);
}

function ruleCollisions(rule: RuleJson, policy: Policy, vnet: Prefix, others: readonly OtherSlice[]): Collision[] {
  if (rule.priority === policy.rulePriority && rule.table === String(policy.table)) return [];
  const sides = [
    ['from', rule.src, rule.srclen],
    ['to', rule.dst, rule.dstlen],
  ] as const;
  const words = sides.flatMap(([side, base, length = 32]) =>
    base === undefined || base === 'all' ? [] : [{ side, prefix: prefixOf(`${base}/${length}`) }],
  );
  if (!words.some(({ prefix }) => prefix.length > longestDefault && overlaps(prefix, vnet))) return [];
  const owner = others.find((other) => other.policy.rulePriority === rule.priority);
  const selectors = words.map(({ side, prefix }) => `${side} ${formatPrefix(prefix)}`).join(' ');
  const target = rule.table === undefined ? '' : ` lookup ${tableNames.get(rule.table) ?? rule.table}`;
  return [collision(`rule ${rule.priority}: ${selectors}${target}`, owner)];
}

/** Finds tunnels whose packets to the other end would be sent into the slice. */
function tunnelCollisions({ ifname, linkinfo }: LinkJson, vnet: Prefix, others: readonly OtherSlice[]): Collision[] {
  const owner = others.find(({ policy }) => ifname.startsWith(policy.interfacePrefix));
  const remote = linkinfo?.info_data?.remote;
  return isIn(vnet, remote) ? [collision(`tunnel end ${remote} of interface '${ifname}'`, owner)] : [];
}

/**
 * Finds connections to hosts in the subnet, except those over the slice itself: they have an address of the slice at
 * this end.
 */
function peerCollisions({ local, localPort, remote }: NodeNetwork['peers'][number], vnet: Prefix): Collision[] {
  if (!isIn(vnet, remote) || isIn(vnet, local)) return [];
  return [collision(`${remote}, which has a connection to this node (${local}, TCP port ${localPort})`, undefined)];
}

/** Two slices whose numbers overlap would take each other's objects for their own. */
function policyCollisions(policy: Policy, vnet: Prefix, { slice, vnet: taken, file, policy: other }: OtherSlice) {
  const shared = overlaps(taken, vnet) ? `vnet ${formatPrefix(taken)}` : sharedBy(policy, other);
  return shared === undefined ? [] : [{ what: `${shared} of its policy ${file}`, slice }];
}

function collision(what: string, owner: OtherSlice | undefined): Collision {
  return owner === undefined ? { what } : { what, slice: owner.slice };
}

/** False also for what is not an IPv4 address. */
function isIn(vnet: Prefix, address: string | undefined): boolean {
  return address !== undefined && /^[\d.]+$/.test(address) && containsAddress(vnet, parseAddress(address));
}
