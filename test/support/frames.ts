/** Builds Ethernet frames byte by byte, including ones that no kernel would send. */

type Bytes = readonly number[] | Buffer;

const bytes = (...parts: Bytes[]): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part)));
const word = (value: number): number[] => [value >> 8, value & 255];
const mac = (text: string): number[] => text.split(':').map((part) => Number.parseInt(part, 16));
const v4 = (text: string): number[] => text.split('.').map(Number);

/** Returns the Internet checksum: the inverted sum of all 16-bit words. */
function checksum(data: Buffer): number {
  let sum = 0;
  for (let at = 0; at < data.length; at += 2) sum += (data[at]! << 8) + (data[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function withChecksum(data: Buffer, at: number, covered: Buffer = data): Buffer {
  data.writeUInt16BE(checksum(covered), at);
  return data;
}

export function ethernet(to: string, from: string, type: number, payload: Bytes): Buffer {
  return bytes(mac(to), mac(from), word(type), payload);
}

export function arpRequest(from: { mac: string; address: string }, asked: string): Buffer {
  const body = bytes(
    word(1),
    word(0x0800),
    [6, 4],
    word(1),
    mac(from.mac),
    v4(from.address),
    [0, 0, 0, 0, 0, 0],
    v4(asked),
  );
  return ethernet('ff:ff:ff:ff:ff:ff', from.mac, 0x0806, body);
}

export function ipv4(from: string, to: string, protocol: number, payload: Bytes): Buffer {
  const length = word(20 + payload.length);
  const header = bytes([0x45, 0], length, [0, 0, 0, 0, 64, protocol, 0, 0], v4(from), v4(to));
  return bytes(withChecksum(header, 10), payload);
}

/** Builds a UDP packet without a checksum, which UDP allows. */
export function udp(from: number, to: number, payload: Bytes): Buffer {
  return bytes(word(from), word(to), word(8 + payload.length), [0, 0], payload);
}

export function icmp(type: number, code: number, rest: Bytes): Buffer {
  return withChecksum(bytes([type, code, 0, 0], rest), 2);
}

/** Parses an IPv6 address with at most one `::` and without an IPv4 part. */
function v6(text: string): number[] {
  const [head = '', tail = ''] = text.split('::');
  const groups = (part: string) =>
    part
      .split(':')
      .filter(Boolean)
      .flatMap((group) => word(Number.parseInt(group, 16)));
  const [front, back] = [groups(head), groups(tail)];
  return [...front, ...Array(16 - front.length - back.length).fill(0), ...back];
}

export function icmpv6(from: string, to: string, type: number, rest: Bytes): Buffer {
  const body = bytes([type, 0, 0, 0], rest);
  const pseudo = bytes(v6(from), v6(to), [0, 0], word(body.length), [0, 0, 0, 58], body);
  withChecksum(body, 2, pseudo);
  return bytes([0x60, 0, 0, 0], word(body.length), [58, 255], v6(from), v6(to), body);
}

/** Builds a router advertisement with the prefix `2001:db8:bad::/64`. */
export function routerAdvertisement(from: string, to: string): Buffer {
  const lifetimes = [0, 0, 14, 16, 0, 0, 14, 16];
  const prefix = bytes([3, 4, 64, 0xc0], lifetimes, [0, 0, 0, 0], v6('2001:db8:bad::'));
  return icmpv6(from, to, 134, bytes([64, 0], word(1800), [0, 0, 0, 0, 0, 0, 0, 0], prefix));
}

/** Returns the type in an Ethernet header. */
function etherType(frame: Buffer): number {
  return frame.readUInt16BE(12);
}

/** Builds an IPv4 packet with a 16-bit number. */
export function echoRequest(from: string, to: string, number: number): Buffer {
  return ipv4(from, to, 1, icmp(8, 0, bytes([0, 1], word(number))));
}

/** Returns the number of an echo reply in a frame; undefined for any other frame. */
export function echoReply(frame: Buffer): number | undefined {
  return etherType(frame) === 0x0800 && frame[23] === 1 && frame[34] === 0 ? frame.readUInt16BE(40) : undefined;
}
