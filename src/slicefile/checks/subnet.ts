import { isIPv4 } from 'node:net';
import {
  containsAddress,
  containsPrefix,
  formatPrefix,
  maskTo,
  overlaps,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '../../model/address.ts';
import { requiredLength, roomNeeded } from '../../model/room.ts';
import type { Slice } from '../../model/slice.ts';
import { countsOf, type Draft, type DraftNode } from '../draft.ts';
import { atValue, type Fault, type Position, type Problem } from '../fault.ts';
import { quote } from '../words.ts';

const reserved = [
  { prefix: parsePrefix('0.0.0.0/8'), use: 'addresses of this network' },
  { prefix: parsePrefix('127.0.0.0/8'), use: 'loopback' },
  { prefix: parsePrefix('169.254.0.0/16'), use: 'link-local addresses' },
  { prefix: parsePrefix('224.0.0.0/4'), use: 'multicast' },
  { prefix: parsePrefix('240.0.0.0/4'), use: 'reserved addresses' },
];

/** Private (RFC 1918) and shared (RFC 6598) address space: a subnet of it hides no Internet host from the nodes. */
const unowned = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'];

/** Checks that the slice's subnet is large enough, and not in use by others. */
export function checkSubnet({ vnet, isPublic, nodes, vns }: Draft): Problem[] {
  if (vnet === undefined) return [];
  const reserved = checkReserved(vnet);
  return [
    ...reserved,
    ...(reserved.length > 0 || isPublic ? [] : checkOwned(vnet)),
    ...nodes.entries.flatMap((node) => checkNode(node, vnet)),
    ...checkRoom(vns, vnet),
  ];
}

function checkReserved(vnet: Prefix): Problem[] {
  const taken = reserved.find(({ prefix }) => overlaps(prefix, vnet));
  if (taken === undefined) return [];
  const message = `overlapping subnets: vnet ${formatPrefix(vnet)} and ${formatPrefix(taken.prefix)} (${taken.use})`;
  return [atValue(['vnet'], message, 'use a private subnet, like 10.65.0.0/16')];
}

function checkOwned(vnet: Prefix): Problem[] {
  if (unowned.some((prefix) => containsPrefix(parsePrefix(prefix), vnet))) return [];
  const message = `${formatPrefix(vnet)} is not within private or shared address space (${unowned.join(', ')})`;
  const hint = "use a private subnet, like 10.65.0.0/16; if these addresses are yours, add 'public: true'";
  return [atValue(['vnet'], message, hint)];
}

function checkNode({ name, host, address }: DraftNode, vnet: Prefix): Problem[] {
  const inside = (text: string) => isIPv4(text) && containsAddress(vnet, parseAddress(text));
  const taken = Object.entries({ host, address }).flatMap(([key, value]) =>
    value && inside(value.name) ? [{ key, value }] : [],
  );
  return taken.map(({ key, value }) =>
    atValue(
      value.path,
      `overlapping subnets: the ${key} of node ${quote(name)} is inside vnet ${formatPrefix(vnet)}`,
      'use a subnet that contains none of the nodes',
    ),
  );
}

function checkRoom(vns: Draft['vns'], vnet: Prefix): Problem[] {
  const counts = countsOf(vns);
  const length = requiredLength(counts);
  if (vns.length === 0 || vnet.length <= length) return [];
  const enough = formatPrefix({ base: maskTo(vnet.base, length), length });
  const message = `subnet too small: ${formatPrefix(vnet)}, but the slice needs ${roomNeeded(counts)} addresses`;
  return [atValue(['vnet'], message, `use a /${length} or larger, like ${enough}`)];
}

/** A slice with its file; `at` is the position of its subnet there. */
export interface SliceInFile {
  readonly file: string;
  readonly slice: Slice;
  readonly at?: Position;
}

/** Reports each slice whose subnet overlaps the subnet of an earlier slice. */
export function checkSubnets(slices: readonly SliceInFile[]): Fault[] {
  return slices.flatMap(({ file, slice, at }, index) =>
    slices
      .slice(0, index)
      .filter((other) => overlaps(other.slice.vnet, slice.vnet))
      .map((other) => ({
        file,
        ...(at ?? { line: 1, column: 1 }),
        key: 'vnet',
        message: `overlapping subnets: vnet ${formatPrefix(slice.vnet)} and ${formatPrefix(other.slice.vnet)} of slice ${quote(other.slice.name)} in ${other.file}`,
        hint: 'give each slice its own subnet',
      })),
  );
}
