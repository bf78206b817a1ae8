/** What a migration says of the sizes that its new instance carries, next to the old one. */
import { describe, expect, it } from 'vitest';
import { narrowedWay, proveSizes } from '../../src/controller/migration/prove-sizes.ts';
import type { Run } from '../../src/controller/migration/types.ts';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import type { ParamsInput } from '../../src/vsys/messages.ts';
import { gallery } from '../support/slices.ts';

/** A triangle of routers with a gateway at each: links a-b, b-c, a-c, then those of the gateways ga, gb, gc. */
const slice = readSlice(gallery('three-node'));
const vn = slice.vns[0]!;
const [ab, bc, ac, ofA] = [0, 1, 2, 3] as const;
const sizes = (entries: Record<number, number> = {}) =>
  new Map(Object.entries(entries).map(([link, bytes]) => [Number(link), bytes]));

describe('a way between gateways', () => {
  it.each([
    ['is as before where the same link is as narrow', { [ab]: 1400 }, { [ab]: 1400 }, undefined],
    ['is as before where another link of it was as narrow', { [ofA]: 1400 }, { [ofA]: 1400, [ab]: 1400 }, undefined],
    ['is wider', { [ab]: 1400 }, {}, undefined],
    ['has got narrow', {}, { [ab]: 1400 }, { name: 'between gateways ga and gb', before: 1500, after: 1400 }],
    [
      'has got narrow, though another that was narrower has got wide',
      { [bc]: 1300 },
      { [ac]: 1400 },
      { name: 'between gateways ga and gc', before: 1500, after: 1400 },
    ],
  ])('%s', (_, before, after, expected) => {
    expect(narrowedWay(vn, sizes(before), sizes(after), 1500)).toEqual(expected);
  });

  it('is not all: a link that no way takes counts by itself', () => {
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

  /** `carried`: by link, of the old and of the new instance; null where nothing answers. */
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

  it('a new instance is refused that makes one way narrower, whatever it makes wider', async () => {
    const { failure, notes } = await prove([{ [bc]: 1300 }, { [ac]: 1400 }]);
    expect(failure).toBe(
      "packets of VN 'three' with its full size (1500 bytes) do not get through the new instance: at most 1400 bytes between router a on p4 and router c on p6; between gateways ga and gc, the old instance carries 1500 bytes, the new one 1400; set 'mtu: 1400' for VN 'three' in the slice file and run pl-vnm install SLICE.yaml, or widen the path",
    );
    expect(notes).toEqual([]);
  });

  it('one that makes none narrower is noted', async () => {
    const { failure, notes } = await prove([{ [ab]: 1300 }, { [ab]: 1400 }]);
    expect(failure).toBeUndefined();
    expect(notes).toEqual([
      expect.stringMatching(/1400 bytes between router a on p4 and router b on p5; the old instance/),
    ]);
  });

  it('sizes that cannot be found out are noted', async () => {
    const { failure, notes } = await prove([{}, { [ab]: null, [ofA]: null }]);
    expect(failure).toBeUndefined();
    expect(notes).toEqual([
      'unknown whether packets of 1500 bytes get through, since nothing answers: between router a on p4 and router b on p5; between gateway ga on ga and router a on p4',
    ]);
  });
});
