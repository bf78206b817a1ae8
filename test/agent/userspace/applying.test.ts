/** What a node does while it applies a batch: packets and redirections do not wait for it. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { KernelState, NexthopGroup } from '../../../src/agent/dataplane/planner/state.ts';
import { encodeTunnelHeader } from '../../../src/agent/dataplane/userspace/header.ts';
import type { StateFile } from '../../../src/agent/dataplane/userspace/state-file.ts';
import {
  createUserspaceDataPlane,
  type UserspacePlane,
} from '../../../src/agent/dataplane/userspace/userspace-dataplane.ts';
import { systemClock } from '../../../src/clock/clock.ts';
import { type OperationInput, operationSchema } from '../../../src/vsys/operations.ts';
import { testPolicy } from '../../support/agent-node.ts';
import { key, packetOf, route, router } from './forwarding.ts';

const loopback = '127.0.0.1';
const [host, far] = ['10.65.100.1', '10.65.101.1'];
const [vni, instance] = [4097, 3];

let plane: UserspacePlane;
/** The other end of the node's tunnel. */
let neighbour: Socket;
let received: number;
let saved: KernelState[];
/** What the file does before it has the state: a write has as many steps as this yields. */
let whileSaving: () => Iterable<void>;
const nothing = () => [];

const file: StateFile = {
  read: () => undefined,
  *write(state) {
    yield* whileSaving();
    saved.push(state as KernelState);
  },
  remove: () => {},
};

beforeEach(async () => {
  received = 0;
  saved = [];
  whileSaving = nothing;
  neighbour = createSocket('udp4');
  neighbour.on('message', () => {
    received += 1;
  });
  neighbour.bind(0, loopback);
  await once(neighbour, 'listening');
  const policy = { ...testPolicy('n_'), userspace: { address: loopback, port: 65_535 } };
  const parts = { address: loopback, port: 0, file, installed: async () => {}, log: () => {} };
  plane = await createUserspaceDataPlane(policy, systemClock, parts);
  await apply(
    { op: 'netns_up', namespace: router, urpf: 'loose' },
    ...tunnel({ interface: 'pv001-t0', namespace: router, vni }),
    ...['10.65.100.0/24', '10.65.101.0/24'].map((prefix) => route(prefix, [0])),
  );
});
afterEach(async () => {
  await plane.close();
  neighbour.close();
});

function tunnel({ vni: number, ...at }: { interface: string; namespace?: string; vni: number }): OperationInput[] {
  const { port } = neighbour.address();
  return [
    { op: 'tunnel_up', kind: 'udp', ...at, instance, key, mtu: 1400, vni: number, remote: loopback, port },
    { op: 'vif_up', ...at, address: '10.65.0.1', peer: { address: '10.65.0.2' } },
  ];
}

async function apply(...operations: OperationInput[]): Promise<void> {
  const pinned = () => ({ nexthops: new Set<number>(), gates: new Set<string>() });
  await plane.apply(
    operations.map((operation) => operationSchema.parse(operation)),
    pinned,
  );
}

/** Arrives at the node by the tunnel, which it also leaves by. */
function arrive(): void {
  const packet = packetOf({ from: host, to: far });
  encodeTunnelHeader({ instance, vni, key }).copy(packet);
  neighbour.send(packet, plane.port, loopback);
}

/** Steps without end would hang a test that fails. */
const mostSteps = 100_000;

it('a node forwards while it saves what comes next', async () => {
  whileSaving = function* () {
    arrive();
    for (let step = 0; received === 0 && step < mostSteps; step += 1) yield;
  };
  const before = saved.length;
  await apply(route('10.65.102.0/24', [0]));
  expect(received).toBe(1);
  expect(saved).toHaveLength(before + 1);
});

it('a node forwards while it prepares tables of many routes', async () => {
  let receivedBefore = 0;
  whileSaving = function* () {
    receivedBefore = received;
    yield;
  };
  const many = Array.from({ length: 5000 }, (_, index) => route(`10.66.${index >> 8}.${index & 255}/32`, [0]));
  const applied = apply(...many);
  arrive();
  await applied;
  expect(receivedBefore).toBe(1);
});

it('a redirection while a batch is applied is in effect at once, and is saved after the batch', async () => {
  const [first, second, group] = [65_536, 65_537, 65_538];
  const own = tunnel({ interface: 'pv001-t1', vni: vni + 1 });
  const ways = [first, second].map(
    (id) => ({ op: 'nexthop_up', id, interface: 'pv001-t1', via: '10.65.0.2' }) as const,
  );
  await apply(...own, ...ways, { op: 'group_up', id: group, members: [first, second], active: first, resilient: true });
  const activeIn = ({ nexthops }: Pick<KernelState, 'nexthops'>) => (nexthops.get(group) as NexthopGroup).active;
  let seen = 0;
  whileSaving = function* () {
    whileSaving = nothing;
    yield;
    void plane.redirect([{ id: group, active: second }]);
    seen = new Int32Array(plane.switches).filter((value) => value === second).length;
    yield;
  };
  await apply(route('10.65.103.0/24', [0]));
  expect(seen).toBe(1);
  await expect.poll(() => activeIn(saved.at(-1)!)).toBe(second);
  const { nexthops } = await plane.inventory();
  expect(nexthops.find(({ id }) => id === group)).toMatchObject({ active: second });
});
