import type { Placement, Slice, VirtualNetwork } from '../model/slice.ts';
import { declaredPathMs } from '../planning/latency.ts';
import { flowPath, withoutOldPath } from '../planning/loss/flow-path.ts';
import type { FlowPath } from '../planning/loss/types.ts';
import type { PathLatency } from './measure.ts';
import { payloadBytes } from './traffic.ts';

/** The VN's flows with the latencies of their gateways on both instances, as the slice file declares them. */
export function declaredFlowPaths(
  slice: Slice,
  vn: VirtualNetwork,
  from: Placement,
  to: Placement,
  mtu: number,
): FlowPath[] {
  return flowPathsBy(vn, mtu, (source, destination) => ({
    oldMs: declaredPathMs(slice, vn, from, source, destination),
    newMs: declaredPathMs(slice, vn, to, source, destination),
  }));
}

/**
 * The same as measured: the medians, since that is what packets in flight take. A flow of which no probe arrived over the old instance
 * has no old path (`withoutOldPath`).
 */
export function measuredFlowPaths(
  vn: VirtualNetwork,
  old: readonly PathLatency[],
  fresh: readonly PathLatency[],
  mtu: number,
): FlowPath[] {
  const find = (paths: readonly PathLatency[], source: string, destination: string) =>
    paths.find(({ from, to }) => from === source && to === destination);
  const isOldDown = ({ source, destination }: FlowPath) => {
    const path = find(old, source, destination);
    return path !== undefined && path.lost === path.probes;
  };
  const paths = flowPathsBy(vn, mtu, (source, destination) => ({
    oldMs: find(old, source, destination)?.medianMs ?? Number.NaN,
    newMs: find(fresh, source, destination)?.medianMs ?? Number.NaN,
  }));
  return paths.map((path) => (isOldDown(path) ? withoutOldPath(path) : path));
}

/** A flow between two end hosts of one gateway stays there, so it has no latency on either instance. */
function flowPathsBy(
  vn: VirtualNetwork,
  mtu: number,
  latencies: (source: string, destination: string) => { oldMs: number; newMs: number },
): FlowPath[] {
  const gatewayBy = new Map(vn.endHosts.map((endHost) => [endHost.name, endHost.gateway]));
  return vn.flows.map((flow) => {
    const [source, destination] = [gatewayBy.get(flow.from)!, gatewayBy.get(flow.to)!];
    const path = source === destination ? { oldMs: 0, newMs: 0 } : latencies(source, destination);
    return flowPath({ ...flow, payloadBytes: payloadBytes(flow, mtu) }, { source, destination, ...path });
  });
}
