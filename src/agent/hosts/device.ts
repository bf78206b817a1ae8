/**
 * The interface of an end host in a network namespace: a VXLAN device whose packets go to a UDP socket of this program,
 * since neither Node.js nor an ordinary user can open a TUN device. Around each IPv4 packet are a VXLAN header (RFC
 * 7348) and an Ethernet header, both constant.
 */
import { writeFileSync } from 'node:fs';
import { VnmError } from '../../model/errors.ts';
import { run } from '../run.ts';
import type { Attached } from './attachment.ts';

const deviceName = 'vn0';
/** UDP ports of the namespace's loopback: where the device receives, and this program. */
export const ports = { device: 4789, program: 4790 } as const;
/**
 * The address of the program's socket. The kernel never passes a VXLAN packet for one of its own addresses to a socket;
 * to the broadcast address of the loopback it does.
 */
export const programAddress = '127.255.255.255';
export const deviceAddress = '127.0.0.1';

const macs = { device: '02:00:00:00:00:01', program: '02:00:00:00:00:02' };
/** The neighbour behind the device, which stands for the VN; its address appears nowhere else. */
const neighbour = '169.254.0.1';
/** Ports that the agent does not give to its own sockets. */
const freePorts = '32768 49151';

const vxlanHeader = Buffer.from('0800000000000100', 'hex');
const typeIpv4 = '0800';
/** Before a packet to the device. */
export const outerHeader = Buffer.concat([
  vxlanHeader,
  Buffer.from(`${macs.device}${macs.program}`.replaceAll(':', ''), 'hex'),
  Buffer.from(typeIpv4, 'hex'),
]);

export function isIpv4Frame(datagram: Buffer): boolean {
  return datagram.length > outerHeader.length && datagram.readUInt16BE(outerHeader.length - 2) === 0x0800;
}

/** The line for `ip` that makes the device. */
export function deviceLine(mtu: number): string {
  const size = mtu === 0 ? '' : ` mtu ${mtu}`;
  return `link add ${deviceName}${size} address ${macs.device} type vxlan id 1 dstport ${ports.device} local ${deviceAddress} nolearning`;
}

/** Makes the device in this process's namespace. Throws VnmError `failed`. */
export async function makeDevice(address: string, { mtu, subnet }: Attached): Promise<void> {
  // IPv6 would only send packets that nothing answers; a container may forbid these changes.
  attempt('ipv6/conf/default/disable_ipv6', '1');
  attempt('ipv4/ip_local_port_range', freePorts);
  await must(
    'ip',
    ['-batch', '-'],
    [
      'link set lo up',
      deviceLine(mtu),
      // One segment of TCP to a packet: no device here splits larger ones.
      `link set ${deviceName} gso_max_segs 1 up`,
      `address add ${address}/32 dev ${deviceName}`,
      `neigh add ${neighbour} lladdr ${macs.program} dev ${deviceName} nud permanent`,
      `route add ${subnet} via ${neighbour} dev ${deviceName} onlink src ${address}`,
    ],
  );
  const to = ['dst', programAddress, 'port', String(ports.program)];
  await must('bridge', ['fdb', 'append', '00:00:00:00:00:00', 'dev', deviceName, ...to]);
}

async function must(program: string, words: readonly string[], lines: readonly string[] = []): Promise<void> {
  const { code, stderr } = await run(program, words, lines.map((line) => `${line}\n`).join(''));
  if (code === 0) return;
  throw new VnmError('failed', `cannot make the interface of the end host: ${program}: ${stderr.trim()}`);
}

function attempt(setting: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/net/${setting}`, value);
  } catch {
    // It works without.
  }
}
