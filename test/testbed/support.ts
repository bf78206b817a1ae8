import { parsePrefix } from '../../src/model/address.ts';
import type { Slice } from '../../src/model/slice.ts';

/** Returns a slice with nothing but nodes; `linksMs` holds `[from, to, ms]`, for both directions. */
export function sliceOf(
  nodes: readonly string[],
  linksMs: readonly (readonly [string, string, number])[] = [],
  fields: Partial<Slice> = {},
): Slice {
  const directed = linksMs.flatMap(([from, to, ms]) => [
    { from, to, ms },
    { from: to, to: from, ms },
  ]);
  const latencyFrom = (node: string) =>
    new Map(directed.filter(({ from }) => from === node).map(({ to, ms }) => [to, ms]));
  return {
    name: 'test',
    number: 7,
    vnet: parsePrefix('10.65.0.0/16'),
    nodes: new Map(nodes.map((name) => [name, { name }])),
    latency: { defaultMs: 0, linksMs: new Map(nodes.map((node) => [node, latencyFrom(node)])) },
    ntp: [],
    repair: true,
    vns: [],
    ...fields,
  };
}

/** Returns an id for a testbed that no other test run uses. */
export function uniqueId(): string {
  return `t${Math.floor(Math.random() * 36 ** 5)
    .toString(36)
    .padStart(5, '0')}`;
}
