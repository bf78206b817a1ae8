import { declaredLatencyMs, gatewayOf, type Placement, type Slice, type VirtualNetwork } from '../model/slice.ts';
import { routersBetween } from './paths.ts';

/** The one-way latency from gateway to gateway in ms: the sum of the declared latencies along the VN's path. */
export function declaredPathMs(
  slice: Slice,
  vn: VirtualNetwork,
  placement: Placement,
  from: string,
  to: string,
): number {
  const [source, destination] = [gatewayOf(vn, from), gatewayOf(vn, to)];
  const nodes = [
    source.node,
    ...routersBetween(vn, from, to).map((router) => placement.get(router)!),
    destination.node,
  ];
  return nodes.slice(1).reduce((sum, node, index) => sum + declaredLatencyMs(slice.latency, nodes[index]!, node), 0);
}
