/**
 * Measures how late one gateway's agent begins and finishes armed redirections, on both planes, on an idle machine and
 * with all cores busy, with one route and with many routes behind the group.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startTimingThread, type TimingListeners } from '../../src/agent/armed/thread.ts';
import { createUserspaceActuator, createUserspaceSupplier } from '../../src/agent/dataplane/userspace/actuator.ts';
import { stateFile } from '../../src/agent/dataplane/userspace/state-file.ts';
import { createUserspaceDataPlane } from '../../src/agent/dataplane/userspace/userspace-dataplane.ts';
import { table } from '../../src/cli/output.ts';
import { systemClock } from '../../src/clock/clock.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import type { RpcClient } from '../../src/vsys/rpc.ts';
import { startAgentNode, testPolicy } from '../support/agent-node.ts';
import { startNodeInProcess } from '../support/node-in-process.ts';
import { besideFloor, floorHeading, measureFloor } from './floor.ts';
import { progress, quantile, whileBusy } from './harness.ts';

/** The number of redirections armed at a time, and the time between two of them. */
const batch = 25;
const spacingMs = 17;
const leadMs = 400;
const members = [65_536, 65_537];
const group = 65_540;
const manyRoutes = 10_000;

interface Sample {
  readonly lagMs: number;
  readonly executionMs: number;
}

/** The agent of a gateway. */
interface Gateway {
  readonly tunnelKind: 'vxlan' | 'udp';
  readonly call: RpcClient['call'];
  /** Ms that each of so many redirections takes without an agent; absent on the userspace plane, which has no tool. */
  floor?(count: number): Promise<readonly number[]>;
  remove(): Promise<void>;
}

export async function armedBench(count = 500): Promise<string> {
  const rows = [
    ...(await measurePlane('kernel', await kernelGateway(), count)),
    ...(await measurePlane('userspace', await userspaceGateway(), count)),
  ];
  const heading = ['plane', 'machine', 'routes', 'lag: median ms', 'p99 ms', 'execution: median ms', 'p99 ms'];
  return table([...heading, 'together: median ms', 'p99 ms', ...floorHeading], rows);
}

async function measurePlane(plane: string, gateway: Gateway, count: number): Promise<(string | number)[][]> {
  try {
    await setUp(gateway);
    const both = async (name: string) => {
      const samples = await measure(gateway, `${plane}, ${name}`, count);
      return figures(samples, await gateway.floor?.(count));
    };
    const one = await both('idle, 1 route');
    const busy = await whileBusy(() => both('busy, 1 route'));
    await gateway.call('apply', { operations: routes(manyRoutes) });
    const many = await both(`idle, ${manyRoutes} routes`);
    return [
      [plane, 'idle', 1, ...one],
      [plane, 'all cores busy', 1, ...busy],
      [plane, 'idle', manyRoutes, ...many],
    ];
  } finally {
    await gateway.remove();
  }
}

async function kernelGateway(): Promise<Gateway> {
  const node = await startAgentNode();
  const setting = 'echo 0 > /proc/sys/net/ipv4/nexthop_compat_mode';
  execFileSync('nsenter', [`--net=/run/netns/${node.namespace}`, 'sh', '-c', setting]);
  const alternatives = members.map((active) => [{ id: group, active }]);
  const netns = `/run/netns/${node.namespace}`;
  const floor = (count: number) => measureFloor(netns, alternatives, count);
  return { tunnelKind: 'vxlan', call: node.client().call, floor, remove: node.remove };
}

/** The agent in this process, with the timing thread of a real one. */
async function userspaceGateway(): Promise<Gateway> {
  const directory = await mkdtemp(join(tmpdir(), 'pl-vnm-bench-'));
  const file = stateFile(join(directory, 'state.json'));
  const parts = { address: '127.0.0.1', port: 0, file, installed: async () => {}, log: console.error };
  const userspace = { address: parts.address, port: 65_535 };
  const policy = { ...testPolicy('bench_', { routes: 2 * manyRoutes }), userspace };
  const plane = await createUserspaceDataPlane(policy, systemClock, parts);
  const program = fileURLToPath(new URL('../../src/agent/main.ts', import.meta.url));
  const supplier = createUserspaceSupplier(plane.switches);
  const time = {
    clock: systemClock,
    advance() {},
    start: (_: unknown, listeners: TimingListeners) => startTimingThread(program, supplier, listeners),
  };
  const node = startNodeInProcess(plane, createUserspaceActuator(plane.switches), policy, time);
  return {
    tunnelKind: 'udp',
    call: node.call,
    async remove() {
      await node.end();
      await rm(directory, { recursive: true });
    },
  };
}

async function setUp({ tunnelKind, call }: Gateway): Promise<void> {
  const operations: OperationInput[] = [
    { op: 'rule_up' },
    ...members.flatMap((id, index): OperationInput[] => {
      const link = { interface: `pv001-g${index}` };
      const mac = `02:50:0a:41:00:0${index}`;
      const far = { vni: 5000 + index, remote: '192.0.2.9', port: 4790, mtu: 1400 };
      return [
        tunnelKind === 'vxlan'
          ? { op: 'tunnel_up', kind: 'vxlan', ...link, ...far, mac }
          : { op: 'tunnel_up', kind: 'udp', ...link, ...far, instance: 1, key: '0123456789abcdef' },
        { op: 'vif_up', ...link, address: `10.65.${index}.1`, peer: { address: `10.65.${index}.2`, mac } },
        { op: 'nexthop_up', id, via: `10.65.${index}.2`, ...link },
      ];
    }),
    { op: 'group_up', id: group, members, active: members[0]!, resilient: true },
    ...routes(1),
  ];
  await call('apply', { operations });
}

/** Returns host routes over the group. */
function routes(count: number): OperationInput[] {
  return Array.from({ length: count }, (_, index) => {
    const prefix = `10.65.${100 + Math.floor(index / 200)}.${index % 200}/32`;
    return { op: 'vroute', action: 'add', prefix, nexthopId: group };
  });
}

/** Arms many redirections at a time, due one after the other. */
async function measure({ call }: Gateway, name: string, count: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  while (samples.length < count) {
    const { sentAt } = await call('clock', {});
    const ids = Array.from({ length: batch }, (_, index) => `bench-${samples.length + index}`);
    const dueAt = (index: number) => sentAt + leadMs + index * spacingMs;
    const groups = (index: number) => [{ id: group, active: members[(index + 1) % 2]! }];
    const action = (index: number) => ({ kind: 'redirect', offsetMs: 0, groups: groups(index) }) as const;
    await Promise.all(ids.map((id, index) => call('arm', { id, at: dueAt(index), actions: [action(index)] })));
    await sleep(leadMs + batch * spacingMs);
    for (const id of ids) samples.push(await collect(call, id));
    progress(name, samples.length, count);
  }
  return samples;
}

async function collect(call: RpcClient['call'], id: string): Promise<Sample> {
  const { state, actions } = await call('armed_results', { id, forget: true });
  const { plannedAt, startedAt = Number.NaN, finishedAt = Number.NaN, error } = actions[0]!;
  if (state !== 'fired') throw new Error(`${id} is ${state}: ${error}`);
  return { lagMs: startedAt - plannedAt, executionMs: finishedAt - startedAt };
}

function figures(samples: readonly Sample[], floor?: readonly number[]): string[] {
  const together = samples.map(({ lagMs, executionMs }) => lagMs + executionMs);
  const series = [samples.map(({ lagMs }) => lagMs), samples.map(({ executionMs }) => executionMs), together];
  const own = series.flatMap((values) => [0.5, 0.99].map((q) => quantile(values, q).toFixed(3)));
  return [...own, ...besideFloor(together, floor)];
}

if (import.meta.main) console.log(await armedBench());
