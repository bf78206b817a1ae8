/** The configuration of FRR 8.4, for all its daemons: each reads the parts that it knows. */
import { externalTag, type ReadonlyLines } from './common.ts';
import type { Speaker } from './speaker.ts';

/** Returns the lines; the user's own statements come last. */
export function frrConfig(speaker: Speaker): ReadonlyLines {
  return [
    'frr defaults traditional',
    'log stdout informational',
    // Otherwise the kernel shows routes as references to nexthop objects, which no other router has.
    'no zebra nexthop kernel enable',
    `ip router-id ${speaker.id}`,
    '!',
    ...speaker.endHosts.map(({ prefix, via, interface: name }) => `ip route ${prefix} ${via} ${name}`),
    '!',
    ...ospfLines(speaker),
    ...bgpLines(speaker),
  ];
}

function ospfLines({ id, ospf, bgp }: Speaker): ReadonlyLines {
  if (ospf === undefined) return [];
  return [
    ...(bgp === undefined ? [] : ['route-map from_bgp permit 10', ` set tag ${externalTag}`, 'exit']),
    'router ospf',
    ` ospf router-id ${id}`,
    // Otherwise it replaces the permanent neighbour entries by its own, which need ARP. Before the interfaces, since it
    // does so with the first hello packet.
    ' no proactive-arp',
    ' capability opaque',
    ' graceful-restart grace-period 120',
    ' graceful-restart helper enable',
    ' redistribute connected metric 1 metric-type 1',
    ' redistribute static metric 1 metric-type 1',
    ...(bgp === undefined ? [] : [' redistribute bgp metric 1 metric-type 1 route-map from_bgp']),
    'exit',
    ...ospf.links.flatMap((link) => [
      `interface ${link.interface}`,
      ' ip ospf network point-to-point',
      ` ip ospf cost ${link.cost}`,
      ` ip ospf hello-interval ${ospf.helloS}`,
      ` ip ospf dead-interval ${ospf.deadS}`,
      // Last, since it begins to speak with this.
      ' ip ospf area 0.0.0.0',
      'exit',
    ]),
    '!',
  ];
}

function bgpLines({ id, ospf, bgp }: Speaker): ReadonlyLines {
  if (bgp === undefined) return [];
  const peers = bgp.sessions;
  return [
    // Not what another router of the same system took over from BGP: its path would be lost, and packets could circle.
    ...(ospf === undefined
      ? []
      : ['route-map to_bgp deny 10', ` match tag ${externalTag}`, 'exit', 'route-map to_bgp permit 20', 'exit']),
    `router bgp ${bgp.as}`,
    ` bgp router-id ${id}`,
    ' no bgp ebgp-requires-policy',
    ' bgp graceful-restart',
    ' bgp bestpath as-path multipath-relax',
    ' timers bgp 3 9',
    ...peers.flatMap(({ peer, peerAs, own, isBehindGateway }) => [
      ` neighbor ${peer} remote-as ${peerAs}`,
      ` neighbor ${peer} timers connect 5`,
      ...(isBehindGateway ? [` neighbor ${peer} update-source ${own}`] : []),
      ...(isBehindGateway && peerAs !== bgp.as ? [` neighbor ${peer} ebgp-multihop`] : []),
    ]),
    ' address-family ipv4 unicast',
    '  redistribute connected',
    '  redistribute static',
    ...(ospf === undefined ? [] : ['  redistribute ospf route-map to_bgp']),
    ...peers.map(({ peer }) => `  neighbor ${peer} next-hop-self`),
    ' exit-address-family',
    'exit',
    '!',
  ];
}
