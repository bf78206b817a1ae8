/** Carries the copy of a guest from node to node over the controller's channels, compressed where that is faster. */
import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import type { MachineCopy } from '../../vsys/machine.ts';
import type { Agents } from '../nodes/agents.ts';

export interface GuestPlace {
  readonly node: NodeName;
  readonly namespace: string;
}

interface Relayed {
  readonly bytes: number;
  readonly sentBytes: number;
  /** What a copy that was read while it was made says of itself. */
  readonly copy?: MachineCopy;
}

/** Bytes of the copy per ms, in each of the two ways; undefined until it was tried. */
type Rates = { [K in 'raw' | 'compressed']?: number };

/**
 * Carries the copy to its end, which it does not write. The first part goes as it is, the second one compressed, the
 * others in the way that was faster. While one part is written, the next one is read. Throws VnmError.
 */
export async function relayGuest(
  agents: Agents,
  left: GuestPlace,
  kept: GuestPlace,
  signal?: AbortSignal,
): Promise<Relayed> {
  const rates: Rates = {};
  let [offset, sentBytes] = [0, 0];
  let writing: Promise<unknown> = Promise.resolve();
  for (;;) {
    signal?.throwIfAborted();
    const way = chosen(rates);
    const beganAtMs = performance.now();
    const { data, bytes, copy } = await agents
      .get(left.node)
      .call('machine_copy_read', { namespace: left.namespace, offset, compress: way === 'compressed' });
    await writing;
    if (bytes === 0) return { bytes: offset, sentBytes, ...(copy === undefined ? {} : { copy }) };
    writing = agents
      .get(kept.node)
      .call('machine_copy_write', { namespace: kept.namespace, offset, data, compressed: way === 'compressed' });
    // The next part sees it.
    writing.catch(() => {});
    if (rates[way] === undefined) {
      await writing;
      rates[way] = bytes / (performance.now() - beganAtMs);
    }
    offset += bytes;
    sentBytes += Buffer.byteLength(data, 'base64');
  }
}

function chosen({ raw, compressed }: Rates): keyof Rates {
  if (raw === undefined) return 'raw';
  return compressed === undefined || compressed > raw ? 'compressed' : 'raw';
}

/** Ends the copy, and waits until the guest is complete at the other place, where it stands still. Throws VnmError. */
export async function endGuestCopy(agents: Agents, { node, namespace }: GuestPlace, bytes: number): Promise<void> {
  await agents.get(node).call('machine_copy_write', { namespace, offset: bytes, data: '' });
}

/** Lets a guest go on that stands still. Returns false if the place has none. Throws VnmError. */
export async function goOn(agents: Agents, { node, namespace }: GuestPlace): Promise<boolean> {
  try {
    await agents.get(node).call('machine_go_on', { namespace });
    return true;
  } catch (error) {
    if (error instanceof VnmError && error.code === 'not-found') return false;
    throw error;
  }
}
