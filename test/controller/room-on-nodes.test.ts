/** Checks before anything is made: what the nodes allow, and whether they are different machines. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Agents, ownPolicy } from '../../src/controller/nodes/agents.ts';
import {
  noteTooLittleRoom,
  refuseOneMachine,
  requireRoom,
  tooLittleRoom,
} from '../../src/controller/nodes/room-on-nodes.ts';
import type { Limits } from '../../src/model/limits.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { neighbourhoodOf } from '../../src/planning/neighbourhood.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import type { NodeFacts } from '../../src/vsys/messages.ts';
import { requestSchemas } from '../../src/vsys/messages.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';

const slice = readSlice(gallery('two-node'));
const vn = slice.vns[0]!;
const [initial, final] = [vn.placements.get('initial')!, vn.placements.get('final')!];

interface Faked {
  readonly limits?: Partial<Limits>;
  readonly process?: string;
  readonly address?: string;
}

function agentsWith(faked: Readonly<Record<string, Faked>>): Agents {
  const facts = (node: string): NodeFacts => {
    const policy = ownPolicy(slice);
    const agent = {
      version: '1',
      digest: '',
      pid: 7,
      startedAt: 0,
      node: 'v24',
      process: faked[node]?.process ?? node,
    };
    const limits = { ...policy.limits, ...faked[node]?.limits };
    return { agent, policy: { ...policy, limits }, policyFile: true, plane: 'kernel', kernel: '6', features: [] };
  };
  const nodes = [...slice.nodes.keys()];
  const agents = {
    slice,
    missing: new Map(),
    nodes: () => nodes,
    get: (node: string) => ({ facts: facts(node) }),
    address: (node: string) => faked[node]?.address ?? `192.0.2.${nodes.indexOf(node) + 1}`,
  };
  return agents as unknown as Agents;
}

let temporary: ReturnType<typeof temporaryStore>;
beforeEach(() => {
  temporary = temporaryStore();
  temporary.store.slices.save(slice);
});
afterEach(() => temporary.remove());

function install(): void {
  const plan = (slot: number) => planInstance(slice, vn, initial, slot);
  temporary.store.instances.add(slice.name, vn.name, 'initial', 4, plan, () => new Map());
}

const staying = [...final].find(([router, node]) => initial.get(router) === node);
const node = staying?.[1] ?? [...final.values()][0]!;
const added = [{ vn, placement: final }];

describe('requireRoom', () => {
  it('requireRoom accepts what the policies allow', () => {
    expect(() => requireRoom(temporary, agentsWith({}), added)).not.toThrow();
  });

  it('requireRoom names every node with what it has, what it would have, its limit, and how to raise it', () => {
    const agents = agentsWith({ [node]: { limits: { namespaces: 0 } }, gw1: { limits: { tunnels: 1 } } });
    expect(() => requireRoom(temporary, agents, added)).toThrow(
      expect.objectContaining({
        code: 'forbidden',
        message: expect.stringContaining(`node '${node}': slice '${slice.name}' would have `),
        hint: expect.stringContaining('pl-vnm agent install SLICE.yaml --node'),
      }),
    );
    expect(() => requireRoom(temporary, agents, added)).toThrow(
      /node 'gw1': .* 2 tunnels, but its policy there allows 1/,
    );
  });

  it('requireRoom counts what is already recorded', () => {
    const agents = agentsWith({ gw1: { limits: { tunnels: 2 } } });
    expect(() => requireRoom(temporary, agents, added)).not.toThrow();
    install();
    expect(() => requireRoom(temporary, agents, added)).toThrow(
      "node 'gw1': slice 'two' would have 3 tunnels (2 of them are there already), but its policy there allows 2",
    );
  });

  it('requireRoom counts the access links of the whole VN where only a part of it is added', () => {
    const agents = agentsWith({ gw1: { limits: { tunnels: 2 } } });
    install();
    const { router } = vn.gateways.find((gateway) => gateway.node === 'gw1')!;
    const part = { vn: neighbourhoodOf(vn, [router]), placement: initial };
    expect(() => requireRoom(temporary, agents, [part])).toThrow(
      "node 'gw1': slice 'two' would have 3 tunnels (2 of them are there already), but its policy there allows 2",
    );
  });

  it('requireRoom does not check a node that gets nothing more', () => {
    install();
    const agents = agentsWith({ h1: { limits: { tunnels: 0 } } });
    expect(() => requireRoom(temporary, agents, added)).not.toThrow();
  });
});

describe('noteTooLittleRoom', () => {
  it('a limit that is too low for a migration is reported with how to raise it', () => {
    const agents = agentsWith({ gw1: { limits: { tunnels: 2 } } });
    const text = 'its policy allows 2 tunnels, but a migration may need 3';
    expect(tooLittleRoom(slice, 'gw1', agents.get('gw1').facts)).toEqual([expect.stringContaining(text)]);
    expect(tooLittleRoom(slice, 'gw2', agents.get('gw2').facts)).toEqual([]);
    const notes: string[] = [];
    noteTooLittleRoom({ report: ({ text }) => notes.push(text) }, agents);
    expect(notes).toEqual([expect.stringContaining(`node 'gw1': ${text}`)]);
  });
});

describe('refuseOneMachine', () => {
  it('refuseOneMachine accepts nodes that are different machines', () => {
    expect(() => refuseOneMachine(agentsWith({}))).not.toThrow();
  });

  it('refuseOneMachine names two nodes with the same agent, whatever their names', () => {
    const agents = agentsWith({ gw1: { process: 'one' }, h1: { process: 'one' } });
    expect(() => refuseOneMachine(agents)).toThrow(
      expect.objectContaining({ code: 'conflict', message: expect.stringMatching(/'gw1'.*'h1'|'h1'.*'gw1'/) }),
    );
  });

  it('refuseOneMachine names two nodes with the same address', () => {
    const agents = agentsWith({ gw1: { address: '192.0.2.9' }, h1: { address: '192.0.2.9' } });
    expect(() => refuseOneMachine(agents)).toThrow(/have the same address 192\.0\.2\.9/);
  });
});

it('a gateway can arm the gates of 4096 end hosts together with a redirection per peer', () => {
  const gates = (kind: 'gate_close' | 'gate_open') =>
    Array.from({ length: 4096 }, (_, i) => ({ kind, offsetMs: 0, interface: `pv001-e${i}g` }));
  const redirects = Array.from({ length: 4095 }, (_, id) => ({
    kind: 'redirect' as const,
    offsetMs: 0,
    groups: [{ id: id + 1, active: 1 }],
  }));
  const actions = [...gates('gate_close'), ...redirects, ...gates('gate_open')];
  expect(requestSchemas.arm.safeParse({ id: 'a', at: 1, actions }).success).toBe(true);
});
