/** Writes forwarding entries as `ip route save` does: as the kernel's messages (rtnetlink.h). */
import { endianness } from 'node:os';
import type { KernelRoute } from '../../src/agent/dataplane/planner/state.ts';
import { parseAddress, parsePrefix } from '../../src/model/address.ts';

const isLittle = endianness() === 'LE';
const types = { unicast: 1, blackhole: 6, unreachable: 7, prohibit: 8 };

/** The bytes of numbers that have 1, 2 or 4 bytes each. */
function bytesOf(...numbers: readonly (readonly [value: number, size: 1 | 2 | 4])[]): Buffer {
  return Buffer.concat(
    numbers.map(([value, size]) => {
      const one = Buffer.alloc(size);
      if (isLittle) one.writeUIntLE(value, 0, size);
      else one.writeUIntBE(value, 0, size);
      return one;
    }),
  );
}

function attribute(type: number, value: Buffer): Buffer {
  return Buffer.concat([bytesOf([value.length + 4, 2], [type, 2]), value, Buffer.alloc(-value.length & 3)]);
}

const number = (type: number, value: number) => attribute(type, bytesOf([value, 4]));

function address(type: number, text: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(parseAddress(text));
  return attribute(type, bytes);
}

/** `index`: of an interface's name. `typeNumber`: in place of the route's own. */
export function message(
  route: KernelRoute,
  index: (name: string) => number,
  { sequence = 1, family = 2, typeNumber = types[route.type] }: MessageOptions = {},
): Buffer {
  const { base, length } = parsePrefix(route.prefix);
  const destination = Buffer.alloc(4);
  destination.writeUInt32BE(base);
  const flags = route.onlink ? 4 : 0;
  const [first, second] = route.nexthops;
  const hops = route.nexthops.map((hop) => {
    const via = hop.via === undefined ? Buffer.alloc(0) : address(5, hop.via);
    const size = 8 + via.length;
    return Buffer.concat([bytesOf([size, 2], [flags, 1], [hop.weight - 1, 1], [index(hop.interface), 4]), via]);
  });
  const single =
    first === undefined
      ? []
      : [number(4, index(first.interface)), ...(first.via === undefined ? [] : [address(5, first.via)])];
  const body = Buffer.concat([
    // family, length of the destination and of the source, TOS, table, protocol, scope, type, flags
    bytesOf([family, 1], [length, 1], [0, 1], [0, 1], [route.table & 255, 1], [route.protocol, 1], [0, 1]),
    bytesOf([typeNumber, 1], [second === undefined ? flags : 0, 4]),
    number(15, route.table),
    ...(length === 0 ? [] : [attribute(1, destination)]),
    ...(route.metric === undefined ? [] : [number(6, route.metric)]),
    ...(route.source === undefined ? [] : [address(7, route.source)]),
    ...(second === undefined ? single : [attribute(9, Buffer.concat(hops))]),
  ]);
  // size, type, flags, number, receiver
  return Buffer.concat([bytesOf([body.length + 16, 4], [24, 2], [2, 2], [sequence, 4], [4711, 4]), body]);
}

interface MessageOptions {
  readonly sequence?: number;
  readonly family?: number;
  readonly typeNumber?: number;
}

export function dumpOf(messages: readonly Buffer[], tail = '[ ]\n'): Buffer {
  return Buffer.concat([bytesOf([0x45311224, 4]), ...messages, Buffer.from(tail)]);
}
