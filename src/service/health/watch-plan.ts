/** Who probes what of a VN: every gateway all routers, hop by hop, and the other gateways; every end host its gateway. Pure. */
import type { GatewayName, NodeName } from '../../model/names.ts';
import { routerNames } from '../../model/router.ts';
import { gatewayOf, type Slice, type VirtualNetwork } from '../../model/slice.ts';
import { gatewayLink, type Instance } from '../../planning/instance.ts';
import { pathBetween, shortestPaths } from '../../planning/paths.ts';
import { planVn } from '../../planning/vn-plan.ts';

/** What is probed, and what is learned from an answer. */
export interface Target {
  /** `router:a`, `gateway:gb`: the name of the probe, too. */
  readonly name: string;
  readonly to: string;
  /** Id of the watch that answers, at a port of its own; without it the address itself answers. */
  readonly answeredBy?: string;
  /** The last tunnel on the way. */
  readonly tunnel?: string;
  /** The probe to what comes before that tunnel; without it the watcher is there itself. */
  readonly after?: string;
}

/** An agent that sends from, and answers at, one address. */
export interface Watcher {
  /** Of the watch at its agent. */
  readonly id: string;
  /** `gateway ga`, `end host ea`. */
  readonly name: string;
  readonly node: NodeName;
  readonly from: string;
  readonly targets: readonly Target[];
  /** Probes are so many intervals apart. */
  readonly intervals: number;
}

export interface WatchPlan {
  readonly watchers: readonly Watcher[];
  /** All tunnels of the VN; those that no gateway's traffic takes are not probed. */
  readonly tunnels: readonly string[];
  readonly paths: readonly { readonly from: string; readonly to: string }[];
}

/** A gateway's own network stack answers with at most one "port unreachable" per second. */
const accessIntervals = 4;

export function planWatches(slice: Slice, vn: VirtualNetwork, instance: Instance): WatchPlan {
  const { access } = planVn(slice, vn);
  // Names may hold more than an id may.
  const number = slice.vns.findIndex(({ name }) => name === vn.name);
  const idOf = (gateway: GatewayName) => `gateway-${number}-${vn.gateways.findIndex(({ name }) => name === gateway)}`;
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

/** Each router by the address at which packets of the gateway come in there. */
function routerTargets(vn: VirtualNetwork, instance: Instance, gateway: GatewayName): Target[] {
  const next = shortestPaths(routerNames(vn), vn.links);
  const first = gatewayOf(vn, gateway).router;
  return routerNames(vn).flatMap((router): Target[] => {
    if (router === first) {
      const tunnel = tunnelName(gateway, router);
      return [{ name: `router:${router}`, to: gatewayLink(instance, gateway).b.address, tunnel }];
    }
    const before = pathBetween(next, vn.links, first, router).at(-2);
    if (before === undefined) return [];
    const index = next.get(before)!.get(router)!;
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
