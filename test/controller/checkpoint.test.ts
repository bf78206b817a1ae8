/**
 * A daemon that is carried from one played node to another, whatever fails and wherever an earlier command was killed:
 * there is exactly one living daemon in the end, and never a moment with two.
 */
import { describe, expect, it } from 'vitest';
import { checkpoint } from '../../src/controller/migration/control-planes/checkpoint.ts';
import { chooseWays } from '../../src/controller/migration/control-planes/index.ts';
import type { ControlPlace } from '../../src/controller/migration/control-planes/way.ts';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import type { DaemonKind } from '../../src/model/daemon.ts';
import { VnmError } from '../../src/model/errors.ts';
import type { Slice } from '../../src/model/slice.ts';
import type { Feature } from '../../src/vsys/messages.ts';
import { livingSlice } from '../support/living-slice.ts';
import { playedAgents } from '../support/played-agents.ts';

const slice = livingSlice(['bird', 'bird', 'bird', 'bird'], 'ospf');
const place = (node: string): ControlPlace => ({
  node,
  namespace: `x-${node}`,
  start: { op: 'daemon_up', namespace: `x-${node}`, kind: 'bird', protocols: ['ospf'], config: '' },
});
const [left, kept] = [place('p1'), place('p2')];
const image = Buffer.from('a checkpoint of some bytes');
/** What the played nodes give of it at once. */
const partBytes = 10;

type State = 'none' | 'running' | 'moving';

/** `before`: the node refuses. `lost`: it does it, and its answer is lost. `dead`: it never answers again. */
type Fault = { readonly node: string; readonly method: string; readonly kind: 'before' | 'lost' | 'dead' };

const unreachable = (node: string) => new VnmError('unreachable', `node '${node}' is unreachable`);

/** Two nodes with a daemon each, or none. */
function playNodes(states: Readonly<Record<string, State>>, fault?: Fault) {
  const daemons = new Map(Object.entries(states));
  const arrived = new Map<string, Buffer>();
  const asked: string[] = [];
  const dead = new Set<string>();
  let isPending = fault !== undefined;

  function answer(
    node: string,
    method: string,
    params: { outcome?: string; offset?: number; data?: string; operations?: { op: string }[] },
  ): unknown {
    const state = daemons.get(node)!;
    switch (method) {
      case 'inventory':
        return { daemons: state === 'none' ? [] : [{ namespace: `x-${node}`, state }] };
      case 'daemon_dump':
        if (state !== 'running') throw new VnmError('conflict', 'it does not run');
        daemons.set(node, 'moving');
        return { bytes: image.length, sha256: 'of the image' };
      case 'daemon_image_read':
        if (state !== 'moving') throw new VnmError('not-found', 'there is no checkpoint');
        return { data: image.subarray(params.offset, params.offset! + partBytes).toString('base64') };
      case 'daemon_image_write': {
        const before = params.offset === 0 ? Buffer.alloc(0) : arrived.get(node)!;
        if (before.length !== params.offset) throw new VnmError('conflict', 'not the next part');
        arrived.set(node, Buffer.concat([before, Buffer.from(params.data!, 'base64')]));
        return {};
      }
      case 'daemon_restore':
        if (state !== 'none') throw new VnmError('conflict', 'there is a daemon');
        if (!arrived.get(node)!.equals(image)) throw new VnmError('invalid-input', 'not what was sent');
        daemons.set(node, 'running');
        return { processes: [] };
      case 'daemon_settle':
        if (params.outcome === 'stayed' && state === 'moving') daemons.set(node, 'running');
        if (params.outcome === 'moved' && state === 'running') throw new VnmError('conflict', 'it runs here');
        if (params.outcome === 'moved') daemons.set(node, 'none');
        return {};
      case 'apply':
        for (const { op } of params.operations!) {
          if (op === 'daemon_down') daemons.set(node, 'none');
          if (op === 'daemon_up' && state === 'none') daemons.set(node, 'running');
        }
        return { results: [] };
      default:
        throw new Error(`not asked for: ${method}`);
    }
  }

  const agents = playedAgents(slice, async (node, method, params) => {
    if (dead.has(node)) throw unreachable(node);
    asked.push(`${node} ${method}`);
    const isHit = isPending && fault?.node === node && fault.method === method;
    if (isHit) isPending = false;
    if (isHit && fault.kind === 'before') throw new VnmError('failed', 'it cannot be done');
    if (isHit && fault.kind === 'dead') {
      dead.add(node);
      throw unreachable(node);
    }
    const result = answer(node, method, params);
    expect([...daemons.values()].filter((state) => state === 'running').length, asked.join(', ')).toBeLessThan(2);
    if (isHit) throw unreachable(node);
    return result;
  });
  return { agents, asked, daemons, dead };
}

const stateOf = (daemons: ReadonlyMap<string, State>) => [daemons.get('p1'), daemons.get('p2')];
const requests = [
  ['p1', 'inventory'],
  ['p2', 'inventory'],
  ['p1', 'daemon_dump'],
  ['p1', 'daemon_image_read'],
  ['p2', 'daemon_image_write'],
  ['p2', 'daemon_restore'],
  ['p1', 'daemon_settle'],
] as const;

describe('a daemon that is carried', () => {
  it('the image goes along part by part, and the original has moved when the copy runs', async () => {
    const { agents, asked, daemons } = playNodes({ p1: 'running', p2: 'none' });
    expect(await checkpoint.carry(agents, left, kept)).toMatchObject({ bytes: image.length });
    const parts = ['p1 daemon_image_read', 'p2 daemon_image_write'];
    const relayed = [...parts, ...parts, ...parts];
    expect(asked.slice(2)).toEqual(['p1 daemon_dump', ...relayed, 'p2 daemon_restore', 'p1 daemon_settle']);
    expect(stateOf(daemons)).toEqual(['none', 'running']);
  });

  it.each(requests.slice(0, -1))('it stays if node %s refuses %s', async (node, method) => {
    const { agents, daemons } = playNodes({ p1: 'running', p2: 'none' }, { node, method, kind: 'before' });
    await expect(checkpoint.carry(agents, left, kept)).rejects.toMatchObject({
      code: 'failed',
      message: `node '${node}': it cannot be done`,
    });
    expect(stateOf(daemons)).toEqual(['running', 'none']);
  });

  it('once the copy runs, the original does not continue, even if its node refuses to end it', async () => {
    const fault = { node: 'p1', method: 'daemon_settle', kind: 'before' } as const;
    const { agents, asked, daemons } = playNodes({ p1: 'running', p2: 'none' }, fault);
    await checkpoint.carry(agents, left, kept);
    expect(stateOf(daemons)).toEqual(['moving', 'running']);
    // What comes back is the copy, with what it has learned since.
    asked.length = 0;
    await checkpoint.carry(agents, kept, left);
    expect(asked).toContain('p2 daemon_dump');
    expect(stateOf(daemons)).toEqual(['running', 'none']);
  });

  it.each(requests.slice(2))('one is alive if the answer of node %s to %s is lost', async (node, method) => {
    const { agents, daemons } = playNodes({ p1: 'running', p2: 'none' }, { node, method, kind: 'lost' });
    const carried = checkpoint.carry(agents, left, kept);
    if (method === 'daemon_restore' || method === 'daemon_settle') {
      await carried;
      expect(stateOf(daemons)).toEqual(['none', 'running']);
    } else {
      await expect(carried).rejects.toMatchObject({ code: 'unreachable' });
      expect(stateOf(daemons)).toEqual(['running', 'none']);
    }
  });

  it.each(requests)('nothing continues before it is known where it is if node %s dies at %s', async (node, method) => {
    const { agents, daemons, dead } = playNodes({ p1: 'running', p2: 'none' }, { node, method, kind: 'dead' });
    const outcome = await checkpoint.carry(agents, left, kept).catch((error: unknown) => error);
    if (method === 'daemon_settle') expect(stateOf(daemons)).toEqual(['moving', 'running']);
    else expect(outcome).toMatchObject({ code: 'unreachable' });
    // The way back, once it answers again.
    dead.clear();
    await checkpoint.carry(agents, kept, left);
    await checkpoint.confirm(agents, left);
    expect(stateOf(daemons)).toEqual(['running', 'none']);
  });
});

describe('a move that was interrupted', () => {
  const states: readonly State[] = ['none', 'running', 'moving'];
  // Two that run cannot be.
  const all = states
    .flatMap((one) => states.map((other) => [one, other] as const))
    .filter(([one, other]) => one !== 'running' || other !== 'running');

  it.each(all)('from %s and %s it goes on, and comes back', async (p1, p2) => {
    const { agents, daemons } = playNodes({ p1, p2 });
    await checkpoint.carry(agents, left, kept);
    await checkpoint.confirm(agents, kept);
    expect(stateOf(daemons)).toEqual(['none', 'running']);
    const back = playNodes({ p1, p2 });
    await checkpoint.carry(back.agents, kept, left);
    await checkpoint.confirm(back.agents, left);
    expect(stateOf(back.daemons)).toEqual(['running', 'none']);
  });
});

describe('the way of a daemon', () => {
  const bird = (version: string): Feature => ({ name: 'bird', available: true, detail: `version ${version}` });
  const frr: Feature = { name: 'frr', available: true, detail: 'version 8.4.4' };
  const criu: Feature = { name: 'criu', available: true, detail: 'version 4.2.1' };
  const noCriu: Feature = { name: 'criu', available: false, detail: "there is no 'criu' (CRIU 4.2 or newer)" };

  function waysOf(
    of: Slice,
    features: Readonly<Record<string, readonly Feature[]>>,
    asked?: 'checkpoint' | 'graceful',
  ) {
    const agents = {
      get: (node: string) => ({ facts: { features: features[node] ?? [bird('2.0.12'), frr, criu] } }),
    } as unknown as Agents;
    const vn = of.vns[0]!;
    const moves = [{ router: 'a', from: 'p1', to: 'p3' }];
    return [...chooseWays(vn, agents, vn.placements.get('initial')!, moves, asked).values()];
  }
  const kinds = (first: DaemonKind): DaemonKind[] => [first, 'bird', 'bird', 'bird'];

  it('each router takes the quietest way that its nodes can', () => {
    expect(waysOf(slice, {})).toEqual(['checkpoint']);
    expect(waysOf(livingSlice(kinds('frr'), 'ospf'), {})).toEqual(['graceful']);
    expect(waysOf(slice, { p3: [bird('2.0.12'), noCriu] })).toEqual(['graceful']);
    expect(waysOf(slice, { p3: [bird('2.0.13'), criu] })).toEqual(['graceful']);
    expect(waysOf(slice, {}, 'graceful')).toEqual(['graceful']);
  });

  it.each([
    ['FRR', livingSlice(kinds('frr'), 'ospf'), {}, "router 'a' runs FRR, whose netlink groups CRIU does not restore"],
    [
      'BGP',
      livingSlice(kinds('bird'), 'bgp'),
      {},
      "router 'a' also speaks BGP, and a checkpoint does not take TCP connections along",
    ],
    [
      'a node without CRIU',
      slice,
      { p3: [bird('2.0.12'), noCriu] },
      "node 'p3': there is no 'criu' (CRIU 4.2 or newer)",
    ],
    ['another version', slice, { p3: [bird('2.0.13'), criu] }, "node 'p1' has BIRD 2.0.12, and node 'p3' has 2.0.13"],
    ['a node without BIRD', slice, { p3: [criu] }, "node 'p3': there is no 'bird'"],
  ])('a checkpoint that is asked for is refused for %s, with the reason', (_, of, features, why) => {
    expect(() => waysOf(of, features, 'checkpoint')).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: `--control-plane checkpoint is not possible: ${why}`,
        hint: expect.stringMatching(/--control-plane (graceful|restart)/),
      }),
    );
  });

  it('if no way loses nothing, both reasons are given, and what to configure', () => {
    expect(() => waysOf(livingSlice(kinds('bird'), 'bgp'), {})).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: expect.stringMatching(/^--control-plane checkpoint is not .*\n--control-plane graceful is not /),
        hint: expect.stringContaining('--control-plane restart, which loses packets'),
      }),
    );
  });
});
