/**
 * How pairs of end hosts are proven before a migration, and what is required of them after it; end hosts are simulated.
 */
import { expect, it } from 'vitest';
import { proveBefore, proveEndHosts } from '../../src/controller/migration/proof.ts';
import type { Run } from '../../src/controller/migration/types.ts';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import { VnmError } from '../../src/model/errors.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { inPlayedTime } from '../support/played-time.ts';
import { gallery } from '../support/slices.ts';

const slice = readSlice(gallery('three-node'));
const vn = slice.vns[0]!;
const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const nameOf = new Map(planVn(slice, vn).access.map(({ endHost, hostEnd }) => [hostEnd.address, endHost]));

/**
 * What gets through between two end hosts: packets of all sizes, small ones, only an echo, or nothing. `limited`:
 * everything, but the node's policy allows no test traffic of full size.
 */
type Through = 'all' | 'limited' | 'small' | 'echo' | 'nothing';

/** `carried`: by `from>to`; default `all`. `away`: nodes that are unreachable over SSH. */
function play(carried: Record<string, Through>, away: readonly string[] = []) {
  const notes: string[] = [];
  const streams = new Map<string, number>();
  const between = (from: string, to: string) => carried[`${nameOf.get(from)}>${nameOf.get(to)}`] ?? 'all';
  const answers: Record<string, (params: never) => unknown> = {
    stream_open: () => ({ port: 1 }),
    stream_send: (sent: { stream: string; from: string; to: string; payloadBytes: number; count: number }) => {
      const through = between(sent.from, sent.to);
      if (through === 'limited' && sent.payloadBytes > 1000) throw new VnmError('forbidden', 'too much test traffic');
      const arrives = through === 'all' || through === 'limited' || (through === 'small' && sent.payloadBytes < 1000);
      streams.set(sent.stream, arrives ? sent.count : 0);
      return {};
    },
    stream_report: ({ stream }: { stream: string }) => ({ sent: 3, received: streams.get(stream) ?? 0, dropped: 0 }),
    reach: ({ from, to, bytes }: { from: string; to: string[]; bytes?: number }) => ({
      answered: to.map((one) => {
        const through = between(from, one);
        return (
          through === 'all' ||
          through === 'limited' ||
          through === 'echo' ||
          (through === 'small' && bytes === undefined)
        );
      }),
    }),
    packet_sizes: ({ probes }: { probes: object[] }) => ({ sizes: probes.map(() => 1354) }),
  };
  const call = async (method: string, params: never) => answers[method]!(params);
  const agents = {
    missing: new Map(away.map((node) => [node, new VnmError('unreachable', `node '${node}' is unreachable`)])),
    get: () => ({ call }),
  } as unknown as Agents;
  const context = { report: ({ text }: { text: string }) => notes.push(text) };
  const run = { ...planVn(slice, vn), context, agents, old: { instance }, mtu: 1500 } as unknown as Run;
  return { run, notes };
}

const pair = (text: string) => ({ from: text.slice(0, 2), to: text.slice(3) });

it('proveBefore distinguishes pairs that reach each other by packets, only by an echo, only with small packets, or not', () =>
  inPlayedTime(async () => {
    const { run, notes } = play({ 'ea>eb': 'echo', 'eb>ea': 'small', 'ea>ec': 'nothing' });
    expect(await proveBefore(run)).toEqual({
      unproven: [pair('ea>ec')],
      byEcho: [pair('ea>eb')],
      narrow: [pair('eb>ea')],
    });
    expect(notes).toEqual([
      'did not reach each other before the migration, so not required after it: ea to ec',
      "packets of the VN's full size (1500 bytes) were lost before the migration, so not required after it: eb to ea",
    ]);
  }));

it('a policy that allows little test traffic does not make a proof fail', () =>
  inPlayedTime(async () => {
    const limited = { 'ea>eb': 'limited', 'eb>ea': 'limited' } as const;
    const baseline = await proveBefore(play({}).run);
    expect(await proveBefore(play(limited).run)).toEqual(baseline);
    expect(await proveEndHosts(play(limited).run, instance, baseline)).toEqual({ excused: [], failed: [] });
  }));

it('pairs that need a router on an unreachable node are tried, and excused only if nothing arrives', () =>
  inPlayedTime(async () => {
    const dead = { 'ea>eb': 'nothing', 'eb>ea': 'nothing' } as const;
    expect((await proveBefore(play(dead, ['p1']).run)).unproven).toEqual([pair('ea>eb'), pair('eb>ea')]);
    expect(await proveBefore(play({}, ['p1']).run)).toEqual({ unproven: [], byEcho: [], narrow: undefined });
  }));

it('after a migration each pair must reach as much as before', () =>
  inPlayedTime(async () => {
    const prove = async (now: Record<string, Through>, before: Record<string, Through>) => {
      const baseline = await proveBefore(play(before).run);
      const { excused, failed } = await proveEndHosts(play(now).run, instance, baseline, { locate: false });
      const names = (pairs: readonly { from: string; to: string }[]) => pairs.map(({ from, to }) => `${from}>${to}`);
      return { excused: names(excused), failed: names(failed) };
    };
    const [echo, small, nothing] = (['echo', 'small', 'nothing'] as const).map((through) => ({ 'ea>eb': through }));
    const cases = [
      [echo!, {}],
      [echo!, echo!],
      [small!, {}],
      [small!, small!],
      [nothing!, small!],
      [nothing!, nothing!],
    ] as const;
    expect(await Promise.all(cases.map(([now, before]) => prove(now, before)))).toEqual([
      { excused: [], failed: ['ea>eb'] },
      { excused: [], failed: [] },
      { excused: [], failed: ['ea>eb'] },
      { excused: [], failed: [] },
      { excused: [], failed: ['ea>eb'] },
      { excused: ['ea>eb'], failed: [] },
    ]);
  }));
