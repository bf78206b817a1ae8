/** Datagrams of tunnels, as the nodes next to the measured one send them, and the routes of the measured one. */
import { headroom } from '../../../src/agent/dataplane/userspace/forwarder.ts';
import { encodeTunnelHeader } from '../../../src/agent/dataplane/userspace/header.ts';
import { udpPacket } from '../../../src/agent/dataplane/userspace/ipv4.ts';
import { maskTo, type Prefix, parseAddress } from '../../../src/model/address.ts';

/** Of the slice, the tunnels and the frames in them. */
export const key = '0123456789abcdef';
export const instance = 3;
export const vnis = { near: 4097, far: 4098 } as const;
export const macs = { near: '02:50:0a:41:00:01', far: '02:50:0a:41:00:02' } as const;
/** Behind the near tunnel; the routes lead to the far one. */
export const hosts = '10.65.0.0/24';
const host = parseAddress('10.65.0.9');

const headerBytes = 28;
const ports = { fromPort: 1000, toPort: 2000 };

export interface Flow {
  readonly kind: 'udp' | 'vxlan';
  /** Of the IP packet in the tunnel. */
  readonly bytes: number;
  /** From the host to addresses behind the far tunnel, or back from them. */
  readonly direction: 'there' | 'back';
  readonly addresses: readonly number[];
}

/** The payload of the UDP datagrams, one for each address. */
export function datagramsOf({ kind, bytes, direction, addresses }: Flow): Buffer[] {
  const vni = direction === 'there' ? vnis.near : vnis.far;
  const header = kind === 'udp' ? encodeTunnelHeader({ instance, vni, key }) : vxlanHeader(vni, direction);
  const payload = Buffer.alloc(bytes - headerBytes);
  return addresses.map((address) => {
    const ends = direction === 'there' ? { from: host, to: address } : { from: address, to: host };
    return Buffer.concat([header, udpPacket(headroom, ends, ports, [payload]).subarray(headroom)]);
  });
}

/** With that of the Ethernet frame in it, to the device that the operations make (RFC 7348, section 5). */
function vxlanHeader(vni: number, direction: Flow['direction']): Buffer {
  const header = Buffer.alloc(8 + 14);
  header[0] = 8;
  header.writeUInt32BE(vni * 256, 4);
  const mac = Buffer.from((direction === 'there' ? macs.near : macs.far).replaceAll(':', ''), 'hex');
  mac.copy(header, 8);
  mac.copy(header, 14);
  header[14 + 5]! ^= 0x80;
  header.writeUInt16BE(0x0800, 20);
  return header;
}

/** Different prefixes of 16 to 28 bits all over the address space, the same in every run. */
export function prefixesOf(count: number): Prefix[] {
  const next = xorshift(20_261_130);
  const prefixes = new Map<string, Prefix>();
  while (prefixes.size < count) {
    const length = 16 + (next() % 13);
    const base = maskTo(next(), length);
    const first = base >>> 24;
    if (first < 11 || first > 223 || first === 127) continue;
    prefixes.set(`${base}/${length}`, { base, length });
  }
  return [...prefixes.values()];
}

/** An address in each of so many of the prefixes. */
export function addressesIn(prefixes: readonly Prefix[], count: number): number[] {
  const next = xorshift(11_302_026);
  return Array.from({ length: count }, () => {
    const { base, length } = prefixes[next() % prefixes.length]!;
    return (base | (next() >>> length)) >>> 0;
  });
}

/** Pseudorandom unsigned numbers of 32 bits (Marsaglia, 2003). */
function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
