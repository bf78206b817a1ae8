import { declaredLatencyMs, type Placement, type Slice, type VirtualNetwork } from '../model/slice.ts';
import { gatewayOf } from './instance.ts';
import { pathBetween, shortestPaths } from './paths.ts';

/** One-way latency from gateway to gateway in ms, as the slice file declares it for the substrate links of the VN's path. */
export function declaredPathMs(
  slice: Slice,
  vn: VirtualNetwork,
  placement: Placement,
  from: string,
  to: string,
): number {
  const [source, destination] = [gatewayOf(vn, from), gatewayOf(vn, to)];
  const routers = pathBetween(shortestPaths(vn.routers, vn.links), vn.links, source.router, destination.router);
  const nodes = [source.node, ...routers.map((router) => placement.get(router)!), destination.node];
  return nodes.slice(1).reduce((sum, node, index) => sum + declaredLatencyMs(slice.latency, nodes[index]!, node), 0);
}
