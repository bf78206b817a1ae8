/** The programs that are attached to addresses of the node's own stack, in the userspace data plane. */
import { parseAddress } from '../../../model/address.ts';
import { VnmError } from '../../../model/errors.ts';
import type { HostAttachments } from '../../hosts/serve.ts';
import { headroom } from './forwarder.ts';
import { checkedLength, sourceOf } from './ipv4.ts';

export interface AttachedHosts extends HostAttachments {
  /** Passes a packet to what is attached to the address; returns false if nothing is. */
  offer(address: number, packet: Buffer, start: number, end: number): boolean;
}

export interface AttachedHostsParts {
  readonly subnet: string;
  /** The MTU of the interface that has the address; undefined if none has. */
  readonly mtuAt: (address: string) => number | undefined;
  /** Sends a packet of the node's own stack, which begins at `headroom` of its buffer. */
  readonly originate: (packet: Buffer) => void;
}

export function createAttachedHosts({ subnet, mtuAt, originate }: AttachedHostsParts): AttachedHosts {
  const attached = new Map<number, (packet: Buffer) => void>();

  function check(address: string): { mtu: number; subnet: string } {
    const mtu = mtuAt(address);
    if (mtu === undefined) {
      throw new VnmError('not-found', `this node has no end host with the address ${address}`, {
        hint: 'install the VN again',
      });
    }
    if (attached.has(parseAddress(address))) {
      throw new VnmError('conflict', `another command runs at the end host with the address ${address}`, {
        hint: 'wait until it has ended, or let one shell run all commands: exec SLICE HOST -- sh',
      });
    }
    return { mtu, subnet };
  }

  function send(address: number, packet: Buffer): void {
    const length = checkedLength(packet, 0, packet.length);
    if (length === 0 || sourceOf(packet, 0) !== address) return;
    const own = Buffer.allocUnsafe(headroom + length);
    packet.copy(own, headroom, 0, length);
    originate(own);
  }

  return {
    check,
    attach(text, take) {
      const facts = check(text);
      const address = parseAddress(text);
      attached.set(address, take);
      return {
        ...facts,
        send: (packet) => send(address, packet),
        close: () => {
          if (attached.get(address) === take) attached.delete(address);
        },
      };
    },
    offer(address, packet, start, end) {
      const take = attached.get(address);
      take?.(packet.subarray(start, end));
      return take !== undefined;
    },
  };
}
