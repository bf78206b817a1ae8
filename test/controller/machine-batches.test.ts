/** What the controller asks of nodes for routers that are virtual machines. */
import { expect, test } from 'vitest';
import type { Layout } from '../../src/controller/batches/batches.ts';
import { leftOvers } from '../../src/controller/batches/left-overs.ts';
import { setUpRouters, startMachine } from '../../src/controller/batches/routers.ts';
import type { Agents } from '../../src/controller/nodes/agents.ts';
import { provideImages } from '../../src/controller/nodes/images.ts';
import type { ImageRouter } from '../../src/model/router.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { checkSlice } from '../../src/slicefile/index.ts';
import type { MachineReport } from '../../src/vsys/machine.ts';
import type { Feature, Inventory } from '../../src/vsys/messages.ts';
import { goodFile } from '../slicefile/support/faults.ts';

const digest = 'ab'.repeat(32);
const text = goodFile.replace('[alpha, beta]\n  links', '[alpha, { name: beta, kind: image, image: x.img }]\n  links');
const checked = checkSlice(text, 'two.yaml', undefined, () => ({ image: '/none/x.img', digest, bytes: 5 }));
if ('faults' in checked) throw new Error(checked.faults[0]!.message);
const { slice } = checked;
const vn = slice.vns[0]!;
const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);

function agentsOf({ features = [], complete = false }: { features?: readonly Feature[]; complete?: boolean } = {}) {
  const asked: string[] = [];
  const agents = {
    slice,
    missing: new Map(),
    address: () => '192.0.2.1',
    namespacePrefix: () => 'pv-two_',
    get: () => ({
      facts: { features, agent: { version: '0.0.9' } },
      call: async (method: string) => {
        asked.push(method);
        return { complete, bytes: 0 };
      },
    }),
  } as unknown as Agents;
  return { agents, asked };
}

const layoutOf = (agents: Agents): Layout => ({ ...planVn(slice, vn), names: agents, mtu: 1400, urpf: 'strict' });
const batchesOf = (agents: Agents) => setUpRouters(layoutOf(agents), instance);
const context = { report: () => {} };

test('the guest has the addresses of the links, in the order of its devices, and the namespace none', () => {
  const { agents } = agentsOf();
  const batch = batchesOf(agents).get('n2')!;
  const [link, , toGateway] = instance.links;
  expect(batch.map(({ op }) => op)).toEqual(['netns_up', 'tunnel_up', 'tunnel_up', 'machine_up']);
  expect(batch.at(-1)).toEqual(startMachine(layoutOf(agents), instance, vn.routers[1] as ImageRouter));
  expect(batch.at(-1)).toMatchObject({
    op: 'machine_up',
    image: digest,
    memoryMib: 128,
    mtu: 1400,
    ports: [link!.b, toGateway!.b].map(({ interface: name, mac, address }) => ({ interface: name, mac, address })),
  });
});

test('an image is copied only to nodes that lack it', async () => {
  const machine = { name: 'machine', available: true } as const;
  const { agents, asked } = agentsOf({ features: [machine], complete: true });
  await provideImages(context, agents, batchesOf(agents));
  expect(asked).toEqual(['image_state']);
  const lacking = agentsOf({ features: [machine] });
  await expect(provideImages(context, lacking.agents, batchesOf(lacking.agents))).rejects.toMatchObject({
    code: 'invalid-input',
    message: expect.stringMatching(/^cannot read the image \/none\/x\.img: ENOENT/),
  });
});

test('a node without QEMU, or with an older agent, is refused before anything is copied', async () => {
  const detail = "there is no 'qemu-system-x86_64' (package qemu-system-x86)";
  for (const [features, why] of [
    [[{ name: 'machine', available: false, detail }] as const, detail],
    [[], 'its agent has version 0.0.9, which knows no virtual machines'],
  ] as const) {
    const { agents, asked } = agentsOf({ features });
    await expect(provideImages(context, agents, batchesOf(agents))).rejects.toMatchObject({
      code: 'unsupported',
      message: `node 'n2' cannot run routers of kind image: ${why}`,
    });
    expect(asked).toEqual([]);
  }
});

test('a machine that nothing needs is ended, others are left alone', () => {
  const { agents } = agentsOf();
  const batch = batchesOf(agents).get('n2')!;
  const namespace = 'pv-two_0-beta';
  const machines = [{ namespace, state: 'running', ports: 'open' } as MachineReport];
  const empty: Inventory = {
    namespaces: [namespace],
    interfaces: [],
    routes: [],
    nexthops: [],
    rules: false,
    machines,
  };
  expect(leftOvers(empty, batch, 'pv').removal).toEqual([]);
  const without = batch.filter(({ op }) => op !== 'machine_up');
  expect(leftOvers(empty, without, 'pv').removal).toEqual([{ op: 'machine_down', namespace }]);
});
