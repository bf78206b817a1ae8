/** Who probes what of a VN: every gateway all routers, hop by hop, its end hosts, and the other gateways. Pure. */
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import { gatewayLink, gatewayOf, type Instance, planAccess } from '../../planning/instance.ts';
import { pathBetween, shortestPaths } from '../../planning/paths.ts';

/** What a gateway probes, and what it learns from an answer. */
export interface Target {
  /** `router:a`, `gateway:gb`, `host:ea`: the name of the probe, too. */
  readonly name: string;
  readonly to: string;
  /** The address belongs to an agent, which answers at a port of its own. */
  readonly answeredBy?: Watcher;
  /** The last tunnel on the way. */
  readonly tunnel?: string;
  /** The probe to what comes before that tunnel; without it the gateway is there itself. */
  readonly after?: string;
}

/** An agent that sends from, and answers at, one address. */
export interface Watcher {
  /** Of the watch at its agent. */
  readonly id: string;
  readonly node: string;
  readonly from: string;
}

export interface GatewayWatch extends Watcher {
  readonly gateway: string;
  readonly targets: readonly Target[];
}

export interface WatchPlan {
  readonly gateways: readonly GatewayWatch[];
  /** They answer only. */
  readonly endHosts: readonly Watcher[];
  /** All tunnels of the VN; those that no gateway's traffic takes are probed by nobody. */
  readonly tunnels: readonly string[];
}

export function planWatches(slice: Slice, vn: VirtualNetwork, instance: Instance): WatchPlan {
  const access = planAccess(slice, vn);
  // Names may hold more than an id may.
  const number = slice.vns.findIndex(({ name }) => name === vn.name);
  const watcher = (gateway: string): Watcher => {
    const { node, address } = gatewayLink(instance, gateway).a;
    const index = vn.gateways.findIndex(({ name }) => name === gateway);
    return { id: `gateway-${number}-${index}`, node, from: address };
  };
  const endHosts = new Map(
    access.map(({ endHost, hostEnd }, index): [string, Watcher] => [
      endHost,
      { id: `host-${number}-${index}`, node: hostEnd.node, from: hostEnd.address },
    ]),
  );
  const gateways = vn.gateways.map(({ name }): GatewayWatch => {
    const hosts = access
      .filter(({ gateway }) => gateway === name)
      .map(({ endHost, hostEnd }) => ({
        name: `host:${endHost}`,
        to: hostEnd.address,
        answeredBy: endHosts.get(endHost)!,
        tunnel: tunnelName(endHost, name),
      }));
    const peers = vn.gateways.flatMap(({ name: peer }) => {
      const other = watcher(peer);
      return peer === name ? [] : [{ name: `gateway:${peer}`, to: other.from, answeredBy: other }];
    });
    return { ...watcher(name), gateway: name, targets: [...routerTargets(vn, instance, name), ...hosts, ...peers] };
  });
  const tunnels = [
    ...vn.links.map(({ from, to }) => tunnelName(from, to)),
    ...vn.gateways.map(({ name, router }) => tunnelName(name, router)),
    ...access.map(({ endHost, gateway }) => tunnelName(endHost, gateway)),
  ];
  return { gateways, endHosts: [...endHosts.values()], tunnels };
}

export function tunnelName(from: string, to: string): string {
  return `${from}-${to}`;
}

/** Each router by the address at which packets of the gateway come in there. */
function routerTargets(vn: VirtualNetwork, instance: Instance, gateway: string): Target[] {
  const next = shortestPaths(vn.routers, vn.links);
  const first = gatewayOf(vn, gateway).router;
  return vn.routers.flatMap((router): Target[] => {
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
