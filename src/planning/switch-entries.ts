/**
 * Plans what a switch forwards by. Each pair of end hosts has entries of its own along the shortest path, so that a
 * flow can be moved by itself; an entry takes only packets that arrive where the path comes from. Everything else that
 * may pass a switch, such as probes of the hops, is forwarded by its destination. Pure.
 */
import type { FlowEntry, FlowOutput, SwitchConfig } from '../model/flow-entry.ts';
import type { RouterName } from '../model/names.ts';
import { onceFor } from '../model/once.ts';
import type { Route } from '../model/route.ts';
import { gatewayOf, type VirtualNetwork } from '../model/slice.ts';
import { gatewayLink, type Instance, type InstanceLink } from './instance.ts';
import { linksOf } from './neighbourhood.ts';
import { pathsOf } from './paths.ts';
import { infrastructureRoutes, routesToEndHosts, sides } from './routes.ts';
import type { AccessLink, VnPlan } from './vn-plan.ts';

/**
 * The same plan and instance give the same configuration. In an instance that has only a part of the VN, as a trial, no
 * packets pass the switch.
 */
export function planSwitch(plan: Pick<VnPlan, 'vn' | 'access'>, instance: Instance, router: RouterName): SwitchConfig {
  const own = linksOf(instance, router);
  const ports = own.map(({ link, own: end }) => ({
    interface: end.interface,
    number: instance.links.indexOf(link) + 1,
  }));
  const { links, gateways } = plan.vn;
  if (instance.links.length < links.length + gateways.length) return { ports, entries: [] };
  return { ports, entries: [...flowEntries(plan, instance, router), ...otherEntries(plan, instance, router)] };
}

/** Whether it is an entry for a flow, which a migration moves. */
export function isFlowEntry({ in: port }: FlowEntry): boolean {
  return port !== undefined;
}

function flowEntries({ vn, access }: Pick<VnPlan, 'vn' | 'access'>, instance: Instance, router: RouterName) {
  const paths = pathsOf(vn);
  /** The links by which a flow enters and leaves the router; undefined if it does not pass there. */
  const passing = (from: AccessLink, to: AccessLink): readonly [InstanceLink, InstanceLink] | undefined => {
    if (from.gateway === to.gateway) return undefined;
    const [first, last] = [gatewayOf(vn, from.gateway).router, gatewayOf(vn, to.gateway).router];
    const path = paths.between(first, last);
    const at = path.indexOf(router);
    if (at < 0) return undefined;
    const hop = (one: RouterName) => instance.links[paths.firstLink(one, last)!]!;
    return [
      at === 0 ? gatewayLink(instance, from.gateway) : hop(path[at - 1]!),
      router === last ? gatewayLink(instance, to.gateway) : hop(router),
    ];
  };
  return access.flatMap((from) =>
    access.flatMap((to): FlowEntry[] => {
      const links = passing(from, to);
      if (links === undefined) return [];
      const port = sides(links[0], router).own.interface;
      return [{ in: port, source: from.prefix, destination: to.prefix, output: outputOver(links[1], router) }];
    }),
  );
}

/** Those of all routers at once, computed once. */
const ownRoutes = onceFor((vn: VirtualNetwork) => onceFor((instance: Instance) => infrastructureRoutes(vn, instance)));

/**
 * Entries for what is not a flow between end hosts: to the addresses of the instance, whoever sends, and from these to
 * end hosts.
 */
function otherEntries({ vn, access }: Pick<VnPlan, 'vn' | 'access'>, instance: Instance, router: RouterName) {
  const own = linksOf(instance, router);
  const outputs = new Map(own.map(({ link, own: end }) => [end.interface, outputOver(link, router)]));
  const entry = ({ prefix, nexthops }: Route, source?: string): FlowEntry => ({
    ...(source === undefined ? {} : { source }),
    destination: prefix,
    output: outputs.get(nexthops[0]!.interface)!,
  });
  return [
    ...own.map(({ peer, own: end }) => ({
      destination: `${peer.address}/32`,
      output: outputs.get(end.interface)!,
    })),
    ...(ownRoutes(vn)(instance).get(router) ?? []).map((route) => entry(route)),
    ...routesToEndHosts(vn, instance, router, access).map((route) => entry(route, instance.block)),
  ];
}

function outputOver(link: InstanceLink, router: RouterName): FlowOutput {
  const { own, peer } = sides(link, router);
  return { interface: own.interface, sender: own.mac!, receiver: peer.mac! };
}
