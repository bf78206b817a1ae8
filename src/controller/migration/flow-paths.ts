import type { Placement, Slice, VirtualNetwork } from '../../model/slice.ts';
import { declaredPathMs } from '../../planning/latency.ts';
import { flowPath, withoutOldPath } from '../../planning/loss/flow-path.ts';
import type { FlowPath } from '../../planning/loss/types.ts';
import type { Store } from '../../store/store.ts';
import type { PathLatency } from '../probe/path-latency.ts';
import { payloadBytes } from '../probe/traffic.ts';

/** The assumed MTU of the tunnels of a VN that is not installed, bytes. */
const usualMtu = 1500;

/** The MTU of the VN's tunnels, bytes; an assumption if it is not installed. */
export function presumedMtu(store: Store, slice: Slice, vn: VirtualNetwork): number {
  if (store.slices.find(slice.name) === undefined) return usualMtu;
  return store.instances.settings(slice.name, vn.name)?.mtu ?? usualMtu;
}

/** The VN's flows with the latencies between their gateways on both instances, as the slice file declares them. */
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
 * The same with measured latencies: the medians, since packets in flight take that long. If no probe of a flow arrived
 * over the old instance, the flow has no old path (`withoutOldPath`). If none arrived over the new instance, which was
 * proven, a gateway drops probes, and `declared` replaces both latencies.
 */
export function measuredFlowPaths(
  vn: VirtualNetwork,
  old: readonly PathLatency[],
  fresh: readonly PathLatency[],
  mtu: number,
  declared: readonly FlowPath[] = [],
): FlowPath[] {
  const find = (paths: readonly PathLatency[], source: string, destination: string) =>
    paths.find(({ from, to }) => from === source && to === destination);
  const isSilent = (latencies: readonly PathLatency[], { source, destination }: FlowPath) => {
    const path = find(latencies, source, destination);
    return path !== undefined && path.lost === path.probes;
  };
  const paths = flowPathsBy(vn, mtu, (source, destination) => {
    const [before, after] = [find(old, source, destination), find(fresh, source, destination)];
    return {
      oldMs: before?.medianMs ?? Number.NaN,
      newMs: after?.medianMs ?? Number.NaN,
      ...(before?.isSteady === false ? { oldSpreadMs: before.spreadMs } : {}),
      ...(after?.isSteady === false ? { newSpreadMs: after.spreadMs } : {}),
    };
  });
  return paths.map((path, index) => {
    if (isSilent(fresh, path)) return declared[index] ?? path;
    return isSilent(old, path) ? withoutOldPath(path) : path;
  });
}

/** A flow between two end hosts of one gateway does not leave it, so its latency is 0 on both instances. */
function flowPathsBy(
  vn: VirtualNetwork,
  mtu: number,
  latencies: (source: string, destination: string) => Pick<FlowPath, 'oldMs' | 'newMs' | 'oldSpreadMs' | 'newSpreadMs'>,
): FlowPath[] {
  const gatewayBy = new Map(vn.endHosts.map((endHost) => [endHost.name, endHost.gateway]));
  return vn.flows.map((flow) => {
    const [source, destination] = [gatewayBy.get(flow.from)!, gatewayBy.get(flow.to)!];
    const path = source === destination ? { oldMs: 0, newMs: 0 } : latencies(source, destination);
    return flowPath({ ...flow, payloadBytes: payloadBytes(flow, mtu) }, { source, destination, ...path });
  });
}
