/** How a migration compares the packet sizes that its new and old instances carry. */
import { describe, expect, it } from 'vitest';
import { narrowedWay, proveSizes } from '../../src/controller/migration/prove-sizes.ts';
import type { Run } from '../../src/controller/migration/types.ts';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import type { ParamsInput } from '../../src/vsys/messages.ts';
import { gallery } from '../support/slices.ts';

/** A triangle of routers, each with a gateway: links a-b, b-c, a-c, then those of the gateways ga, gb, gc. */
const slice = readSlice(gallery('three-node'));
const vn = slice.vns[0]!;
const [ab, bc, ac, ofA] = [0, 1, 2, 3] as const;
const sizes = (entries: Record<number, number> = {}) =>
  new Map(Object.entries(entries).map(([link, bytes]) => [Number(link), bytes]));

describe('narrowedWay', () => {
  it.each([
    ['has the same size if the same link is equally narrow', { [ab]: 1400 }, { [ab]: 1400 }, undefined],
    [
      'has the same size if another of its links was equally narrow',
      { [ofA]: 1400 },
      { [ofA]: 1400, [ab]: 1400 },
      undefined,
    ],
    ['has become wider', { [ab]: 1400 }, {}, undefined],
    ['has become narrower', {}, { [ab]: 1400 }, { name: 'between gateways ga and gb', before: 1500, after: 1400 }],
    [
      'has become narrower, although another has become wider',
      { [bc]: 1300 },
      { [ac]: 1400 },
      { name: 'between gateways ga and gc', before: 1500, after: 1400 },
    ],
  ])('narrowedWay finds whether a path %s', (_, before, after, expected) => {
    expect(narrowedWay(vn, sizes(before), sizes(after), 1500)).toEqual(expected);
  });

  it('narrowedWay also finds a link that is on no path', () => {
    const costly = { ...vn, links: vn.links.map((link, index) => ({ ...link, cost: index === ac ? 9 : 1 })) };
    expect(narrowedWay(costly, sizes(), sizes({ [ac]: 1400 }), 1500)).toEqual({
      name: 'between routers a and c',
      before: 1500,
      after: 1400,
    });
  });
});

describe('before the redirection', () => {
  const [old, fresh] = ['initial', 'final'].map((name, slot) =>
    planInstance(slice, vn, vn.placements.get(name)!, slot),
  );

  /** `carried`: bytes by link, in the old and in the new instance; null if nothing answers. */
  async function prove(carried: readonly [Record<number, number | null>, Record<number, number | null>]) {
    const notes: string[] = [];
    const call = async (_: string, { probes, largest }: ParamsInput<'packet_sizes'>) => ({
      sizes: probes.map(({ from }) => {
        const isAt = ({ a, b }: { a: { address: string }; b: { address: string } }) =>
          [a.address, b.address].includes(from);
        const place = [old!, fresh!].findIndex(({ links }) => links.some(isAt));
        const size = carried[place]![[old!, fresh!][place]!.links.findIndex(isAt)];
        return size === undefined ? largest : size;
      }),
    });
    const agents = {
      missing: new Map(),
      namespacePrefix: () => 'pv-three_',
      get: () => ({ call }),
    } as unknown as Agents;
    const context = { report: ({ text }: { text: string }) => notes.push(text) };
    const run = { context, agents, vn, old: { instance: old }, mtu: 1500 } as unknown as Run;
    const failure = await proveSizes(run, fresh!).then(
      () => undefined,
      (error: Error) => error.message,
    );
    return { failure, notes };
  }

  it('a new instance that makes one path narrower is refused, whatever it makes wider', async () => {
    const { failure, notes } = await prove([{ [bc]: 1300 }, { [ac]: 1400 }]);
    expect(failure).toBe(
      "packets of VN 'three' with its full size (1500 bytes) do not get through the new instance: at most 1400 bytes between router a on p4 and router c on p6; between gateways ga and gc, the old instance carries 1500 bytes, the new one 1400; set 'mtu: 1400' for VN 'three' in the slice file and run pl-vnm install SLICE.yaml, or widen the path",
    );
    expect(notes).toEqual([]);
  });

  it('a narrow new instance is only reported if no path becomes narrower', async () => {
    const { failure, notes } = await prove([{ [ab]: 1300 }, { [ab]: 1400 }]);
    expect(failure).toBeUndefined();
    expect(notes).toEqual([
      expect.stringMatching(/1400 bytes between router a on p4 and router b on p5; the old instance/),
    ]);
  });

  it('unknown sizes are reported', async () => {
    const { failure, notes } = await prove([{}, { [ab]: null, [ofA]: null }]);
    expect(failure).toBeUndefined();
    expect(notes).toEqual([
      'unknown whether packets of 1500 bytes get through, since nothing answers: between router a on p4 and router b on p5; between gateway ga on ga and router a on p4',
    ]);
  });
});
