import { VnmError } from '../../model/errors.ts';
import { mtuRange } from '../../model/mtu.ts';
import type { NodeName } from '../../model/names.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Context } from '../base/context.ts';
import type { Agents } from '../nodes/agents.ts';
import { describeSizes, measureTunnels, narrowerThan, noteUnknown, type Tunnel } from './tunnel-sizes.ts';

interface Steps {
  /** Returns the largest MTU that the nodes' interfaces allow, up to a size. */
  room(largest?: number): Promise<{ mtu: number; node?: NodeName }>;
  /** Makes the whole VN with this MTU, or changes the existing one. Returns how many operations changed something. */
  apply(mtu: number): Promise<number>;
}

/**
 * Makes a VN with the MTU in the slice file, else the present one (`present`), else the largest that all its tunnels
 * are proven to carry. Throws VnmError `unsupported` if a tunnel does not carry the MTU in the slice file; the MTU is
 * then as before.
 */
export async function applyWithMtu(
  context: Pick<Context, 'report'>,
  agents: Agents,
  vn: VirtualNetwork,
  tunnels: readonly Tunnel[],
  present: number | undefined,
  { room, apply }: Steps,
): Promise<{ mtu: number; changed: number }> {
  const mtu = vn.mtu ?? present ?? (await room()).mtu;
  if (vn.mtu !== undefined && vn.mtu !== present) await refuseWithoutRoom(vn, vn.mtu, room);
  const changed = await apply(mtu);
  const sizes = await measureTunnels(agents, tunnels, mtu);
  noteUnknown(context, sizes, mtu);
  const narrow = narrowerThan(sizes, mtu);
  const [narrowest] = narrow;
  if (narrowest === undefined) return { mtu, changed };
  const text = `packets of ${mtu} bytes do not get through: at most ${describeSizes(narrow)}`;
  if (vn.mtu === undefined && present === undefined) {
    refuseUseless(vn, narrowest);
    context.report({ kind: 'note', text: `${text}; the MTU of VN '${vn.name}' is ${narrowest.bytes}` });
    return { mtu: narrowest.bytes, changed: Math.max(changed, await apply(narrowest.bytes)) };
  }
  const hint = `set 'mtu: ${narrowest.bytes}' for VN '${vn.name}' in the slice file, or widen the path`;
  if (mtu === present) {
    context.report({ kind: 'note', text: `${text} (${hint})` });
    return { mtu, changed };
  }
  if (present !== undefined) await apply(present);
  throw new VnmError('unsupported', `VN '${vn.name}': ${text}`, { hint });
}

async function refuseWithoutRoom(vn: VirtualNetwork, wanted: number, room: Steps['room']): Promise<void> {
  const { mtu, node } = await room(wanted);
  if (mtu >= wanted) return;
  throw new VnmError(
    'unsupported',
    `VN '${vn.name}' has mtu: ${wanted} in the slice file, but node '${node}' has room for ${mtu} bytes in a tunnel`,
    { hint: `set 'mtu: ${mtu}' or less, or omit it` },
  );
}

function refuseUseless(vn: VirtualNetwork, { name, bytes }: { name: string; bytes: number }): void {
  if (bytes >= mtuRange[0]) return;
  throw new VnmError('unsupported', `VN '${vn.name}': at most ${bytes} bytes get through between ${name}`, {
    hint: `a VN needs at least ${mtuRange[0]} bytes: check the network between these nodes`,
  });
}
