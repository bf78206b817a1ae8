/**
 * Plans the probes of a VN: every gateway probes all routers, hop by hop, and the other gateways; every end host probes
 * its gateway. Pure.
 */
import type { GatewayName, NodeName } from '../../model/names.ts';
import { routerNames } from '../../model/router.ts';
import { gatewayOf, type Slice, type VirtualNetwork } from '../../model/slice.ts';
import { gatewayLink, type Instance } from '../../planning/instance.ts';
import { pathsOf } from '../../planning/paths.ts';
import { planVn } from '../../planning/vn-plan.ts';

/** A target of probes, and what an answer shows. */
export interface Target {
  /** The name of the target and of its probe: `router:a`, `gateway:gb`. */
  readonly name: string;
  readonly to: string;
  /** The id of the watch that answers, on its own port; without it, the network stack at the address answers. */
  readonly answeredBy?: string;
  /** The last tunnel on the path. */
  readonly tunnel?: string;
  /** The probe of the router before that tunnel; without it, the tunnel begins at the watcher. */
  readonly after?: string;
}

/** An agent that sends probes from one address and answers there. */
export interface Watcher {
  /** The id of its watch at the agent. */
  readonly id: string;
  /** `gateway ga`, `end host ea`. */
  readonly name: string;
  readonly node: NodeName;
  readonly from: string;
  readonly targets: readonly Target[];
  /** The time between two probes, in intervals. */
  readonly intervals: number;
}

export interface WatchPlan {
  readonly watchers: readonly Watcher[];
  /** All tunnels of the VN. A tunnel that no gateway's traffic takes is not probed. */
  readonly tunnels: readonly string[];
  readonly paths: readonly { readonly from: string; readonly to: string }[];
}

/** A gateway's own network stack answers with at most one "port unreachable" per second. */
const accessIntervals = 4;

export function planWatches(slice: Slice, vn: VirtualNetwork, instance: Instance): WatchPlan {
  const { access } = planVn(slice, vn);
  // A name may have characters that an id may not have.
  const number = slice.vns.findIndex(({ name }) => name === vn.name);
  const ids = new Map(vn.gateways.map(({ name }, index) => [name, `gateway-${number}-${index}`]));
  const idOf = (gateway: GatewayName) => ids.get(gateway)!;
  const gateways = vn.gateways.map(({ name }): Watcher => {
    const { node, address: from } = gatewayLink(instance, name).a;
    const peers = vn.gateways
      .filter((peer) => peer.name !== name)
      .map((peer) => ({
        name: `gateway:${peer.name}`,
        to: gatewayLink(instance, peer.name).a.address,
        answeredBy: idOf(peer.name),
      }));
    const targets = [...routerTargets(vn, instance, name), ...peers];
    return { id: idOf(name), name: `gateway ${name}`, node, from, targets, intervals: 1 };
  });
  const endHosts = access.map(({ endHost, gateway, hostEnd, gatewayEnd }, index): Watcher => {
    const tunnel = tunnelName(endHost, gateway);
    const targets = [{ name: `gateway:${gateway}`, to: gatewayEnd.address, tunnel }];
    const { node, address: from } = hostEnd;
    return {
      id: `host-${number}-${index}`,
      name: `end host ${endHost}`,
      node,
      from,
      targets,
      intervals: accessIntervals,
    };
  });
  const tunnels = [
    ...vn.links.map(({ from, to }) => tunnelName(from, to)),
    ...vn.gateways.map(({ name, router }) => tunnelName(name, router)),
    ...access.map(({ endHost, gateway }) => tunnelName(endHost, gateway)),
  ];
  const names = vn.gateways.map(({ name }) => name);
  const paths = names.flatMap((from) => names.filter((to) => to !== from).map((to) => ({ from, to })));
  return { watchers: [...gateways, ...endHosts], tunnels, paths };
}

export function tunnelName(from: string, to: string): string {
  return `${from}-${to}`;
}

/** Returns a target for each router, at the address of the interface where packets of the gateway enter it. */
function routerTargets(vn: VirtualNetwork, instance: Instance, gateway: GatewayName): Target[] {
  const paths = pathsOf(vn);
  const first = gatewayOf(vn, gateway).router;
  return routerNames(vn).flatMap((router): Target[] => {
    if (router === first) {
      const tunnel = tunnelName(gateway, router);
      return [{ name: `router:${router}`, to: gatewayLink(instance, gateway).b.address, tunnel }];
    }
    const before = paths.between(first, router).at(-2);
    if (before === undefined) return [];
    const index = paths.firstLink(before, router)!;
    const link = vn.links[index]!;
    const { a, b } = instance.links[index]!;
    return [
      {
        name: `router:${router}`,
        to: a.router === router ? a.address : b.address,
        tunnel: tunnelName(link.from, link.to),
        after: `router:${before}`,
      },
    ];
  });
}
