/** Which MTU a VN gets from the slice file, its present MTU and what its tunnels carry. */
import { describe, expect, it } from 'vitest';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import { applyWithMtu } from '../../src/controller/probe/apply-with-mtu.ts';
import type { Tunnel } from '../../src/controller/probe/tunnel-sizes.ts';
import type { VirtualNetwork } from '../../src/model/slice.ts';
import type { ParamsInput } from '../../src/vsys/messages.ts';

const ends = (node: string, other: string): Tunnel['ends'] => [
  { node, address: `address of ${node}` },
  { node: other, address: `address of ${other}` },
];
const tunnels: Tunnel[] = [
  { name: 'a and b', ends: ends('a', 'b') },
  { name: 'b and c', ends: ends('b', 'c') },
];

/** `carried`: how many bytes get through from one node to another, `a>b`; nothing answers on other tunnels. */
async function applied(
  carried: Record<string, number>,
  { wanted, present, room = 1500 }: { wanted?: number; present?: number; room?: number } = {},
) {
  const call = (_method: string, { probes, largest }: ParamsInput<'packet_sizes'>) =>
    Promise.resolve({
      sizes: probes.map(({ from, to }) => {
        const size = carried[`${from}>${to}`.replaceAll('address of ', '')];
        return size === undefined ? null : Math.min(size, largest);
      }),
    });
  const agents = { missing: new Map(), get: () => ({ call }) } as unknown as Agents;
  const vn = { name: 'v', ...(wanted === undefined ? {} : { mtu: wanted }) } as VirtualNetwork;
  const [mtus, notes]: [number[], string[]] = [[], []];
  const report = ({ text }: { text: string }) => notes.push(text);
  const steps = {
    room: async (largest = 1500) => ({ mtu: Math.min(room, largest), node: 'a' }),
    apply: async (mtu: number) => mtus.push(mtu),
  };
  const outcome = await applyWithMtu({ report }, agents, vn, tunnels, present, steps).then(
    ({ mtu }) => mtu,
    ({ message, hint }) => `${message} (${hint})`,
  );
  return { outcome, mtus, notes };
}

const wide = { 'a>b': 9000, 'b>c': 9000 };
const narrow = { 'a>b': 9000, 'b>c': 1350 };

describe('the MTU of a VN', () => {
  it.each([
    ['what interfaces allow', wide, {}, 1500, [1500]],
    ['less if interfaces allow less', wide, { room: 1400 }, 1400, [1400]],
    ['what gets through if that is even less', narrow, {}, 1350, [1500, 1350]],
    ['the present MTU', wide, { present: 1280 }, 1280, [1280]],
    ['the one in the slice file', wide, { wanted: 1300 }, 1300, [1300]],
    ['the new one in the slice file', wide, { wanted: 1300, present: 1500 }, 1300, [1300]],
    ['more than the default if the slice file has more', wide, { wanted: 8000, room: 8950 }, 8000, [8000]],
    ['the present MTU even if that no longer gets through', narrow, { present: 1500 }, 1500, [1500]],
  ] as const)('the MTU of a VN is %s', async (_name, carried, given, mtu, mtus) => {
    const { outcome, mtus: tried } = await applied(carried, given);
    expect({ outcome, tried }).toEqual({ outcome: mtu, tried: mtus });
  });

  it('an MTU in the slice file that does not get through is refused, and the present one is restored', async () => {
    const { outcome, mtus } = await applied(narrow, { wanted: 1450, present: 1300 });
    expect(outcome).toBe(
      "VN 'v': packets of 1450 bytes do not get through: at most 1350 bytes between b and c (set 'mtu: 1350' for VN 'v' in the slice file, or widen the path)",
    );
    expect(mtus).toEqual([1450, 1300]);
    expect((await applied(narrow, { wanted: 1450 })).mtus).toEqual([1450]);
  });

  it('an MTU that interfaces do not allow is refused before anything is made', async () => {
    const { outcome, mtus } = await applied(wide, { wanted: 1480, room: 1450 });
    expect(outcome).toBe(
      "VN 'v' has mtu: 1480 in the slice file, but node 'a' has room for 1450 bytes in a tunnel (set 'mtu: 1450' or less, or omit it)",
    );
    expect(mtus).toEqual([]);
  });

  it('a VN through which almost nothing gets is refused', async () => {
    const { outcome } = await applied({ 'a>b': 9000, 'b>c': 300 });
    expect(outcome).toContain("VN 'v': at most 300 bytes get through between b and c");
  });

  it('the size of a tunnel is measured from the other end if one end fails, and reported as unknown if both do', async () => {
    expect((await applied({ 'b>a': 1400, 'c>b': 9000 })).outcome).toBe(1400);
    const { outcome, notes } = await applied({ 'a>b': 9000 });
    expect(outcome).toBe(1500);
    expect(notes).toEqual([
      'unknown whether packets of 1500 bytes get through, since nothing answers: between b and c',
    ]);
  });
});
