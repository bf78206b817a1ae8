/**
 * Measures how late one gateway's agent begins and finishes armed redirections, on an idle machine and with all cores
 * busy, with one route and with many routes behind the group.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../../src/cli/output.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import type { RpcClient } from '../../src/vsys/rpc.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
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

export async function armedBench(count = 500): Promise<string> {
  const node = await startAgentNode();
  try {
    await setUp(node);
    const one = await measure(node, 'idle, 1 route', count);
    const busy = await whileBusy(() => measure(node, 'busy, 1 route', count));
    await node.apply(routes(manyRoutes));
    const many = await measure(node, `idle, ${manyRoutes} routes`, count);
    const rows = [
      ['idle', 1, ...figures(one)],
      ['all cores busy', 1, ...figures(busy)],
      ['idle', manyRoutes, ...figures(many)],
    ];
    const heading = ['machine', 'routes', 'lag: median ms', 'p99 ms', 'execution: median ms', 'p99 ms'];
    return table([...heading, 'together: median ms', 'p99 ms'], rows);
  } finally {
    await node.remove();
  }
}

async function setUp(node: AgentNode): Promise<void> {
  const setting = 'echo 0 > /proc/sys/net/ipv4/nexthop_compat_mode';
  execFileSync('nsenter', [`--net=/run/netns/${node.namespace}`, 'sh', '-c', setting]);
  await node.apply([
    { op: 'rule_up' },
    ...members.flatMap((id, index): OperationInput[] => {
      const link = { interface: `pv001-g${index}` };
      const mac = `02:50:0a:41:00:0${index}`;
      const far = { vni: 5000 + index, remote: '192.0.2.9', port: 4790 };
      return [
        { op: 'tunnel_up', kind: 'vxlan', ...link, mac, mtu: 1400, ...far },
        { op: 'vif_up', ...link, address: `10.65.${index}.1`, peer: { address: `10.65.${index}.2`, mac } },
        { op: 'nexthop_up', id, via: `10.65.${index}.2`, ...link },
      ];
    }),
    { op: 'group_up', id: group, members, active: members[0]!, resilient: true },
    ...routes(1),
  ]);
}

/** Returns host routes over the group. */
function routes(count: number): OperationInput[] {
  return Array.from({ length: count }, (_, index) => {
    const prefix = `10.65.${100 + Math.floor(index / 200)}.${index % 200}/32`;
    return { op: 'vroute', action: 'add', prefix, nexthopId: group };
  });
}

/** Arms many redirections at a time, due one after the other. */
async function measure(node: AgentNode, name: string, count: number): Promise<Sample[]> {
  const client = node.client();
  const samples: Sample[] = [];
  while (samples.length < count) {
    const { sentAt } = await client.call('clock', {});
    const ids = Array.from({ length: batch }, (_, index) => `bench-${samples.length + index}`);
    const dueAt = (index: number) => sentAt + leadMs + index * spacingMs;
    const groups = (index: number) => [{ id: group, active: members[(index + 1) % 2]! }];
    const action = (index: number) => ({ kind: 'redirect', offsetMs: 0, groups: groups(index) }) as const;
    await Promise.all(ids.map((id, index) => client.call('arm', { id, at: dueAt(index), actions: [action(index)] })));
    await sleep(leadMs + batch * spacingMs);
    for (const id of ids) samples.push(await collect(client, id));
    progress(name, samples.length, count);
  }
  return samples;
}

async function collect(client: RpcClient, id: string): Promise<Sample> {
  const { state, actions } = await client.call('armed_results', { id, forget: true });
  const { plannedAt, startedAt = Number.NaN, finishedAt = Number.NaN, error } = actions[0]!;
  if (state !== 'fired') throw new Error(`${id} is ${state}: ${error}`);
  return { lagMs: startedAt - plannedAt, executionMs: finishedAt - startedAt };
}

function figures(samples: readonly Sample[]): string[] {
  const series = [
    samples.map(({ lagMs }) => lagMs),
    samples.map(({ executionMs }) => executionMs),
    samples.map(({ lagMs, executionMs }) => lagMs + executionMs),
  ];
  return series.flatMap((values) => [0.5, 0.99].map((q) => quantile(values, q).toFixed(3)));
}

if (import.meta.main) console.log(await armedBench());
