/**
 * What it costs to contact a node: processor time of the controller and of the node, and the processes that run there.
 * Processor time counts, not the time that passes, so a busy machine changes it little.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasProgram } from '../../src/agent/has-program.ts';
import { table } from '../../src/cli/output.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { withAgents } from '../../src/controller/nodes/agents.ts';
import type { Slice } from '../../src/model/slice.ts';
import { parseSlice } from '../../src/slicefile/index.ts';
import { commandsBelow } from '../../src/testbed/processes.ts';
import { makeControlGroup } from './control-group.ts';
import { onTestbed, progress } from './harness.ts';

/** The node whose processes are counted; a tracer slows it down. */
const traced = 'n0';

interface Cost {
  /** Processor time per node, ms. */
  readonly controllerMs: number;
  readonly nodeMs: number;
  /** Parts of the node's. */
  readonly serverMs: number;
  readonly agentMs: number;
  readonly passedMs: number;
  readonly programs: readonly string[] | undefined;
}

const contacts = {
  'first: the node has nothing': async () => {},
  'the agent is there, and does not run': stopAgents,
  'the agent runs': async () => {},
} as const;

/** Contacts `count` nodes at once, in each state. */
export async function contactBench(count = 20): Promise<string> {
  const group = makeControlGroup(`pl-vnm-bench-${process.pid}`);
  try {
    const costs = await onTestbed(sliceOf(count + 1), async (context, slice) => {
      for (const { pid } of await processesOf(context, slice, 'servers')) group.add(pid);
      const nodes = [...slice.nodes.keys()].filter((node) => node !== traced);
      const found: [string, Cost][] = [];
      for (const [index, [what, prepare]] of Object.entries(contacts).entries()) {
        progress('contacts', index, Object.keys(contacts).length);
        await prepare(context, slice);
        const cost = await measure(context, slice, nodes, group.usedMs);
        found.push([what, { ...cost, programs: await programsOf(context, slice) }]);
      }
      progress('contacts', found.length, found.length);
      return found;
    });
    return report(costs, count);
  } finally {
    await group.remove();
  }
}

function report(costs: readonly [string, Cost][], count: number): string {
  const ms = (value: number) => value.toFixed(0);
  const rows = costs.map(([what, { controllerMs, nodeMs, serverMs, agentMs, passedMs, programs }]) => [
    what,
    ms(controllerMs + nodeMs),
    ms(controllerMs),
    ms(serverMs),
    ms(agentMs),
    ms(Math.max(0, nodeMs - serverMs - agentMs)),
    programs === undefined ? '-' : String(programs.length),
    programs === undefined ? '-' : String(programs.filter((program) => program === 'node').length),
    (passedMs / 1000).toFixed(1),
  ]);
  const parts = ['controller ms', 'SSH server ms', 'agent ms', 'other programs ms'];
  const heading = ['contact', 'total ms', ...parts, 'programs run', 'of them node', 'all nodes, s'];
  const [, first] = costs[0]!;
  const counts = new Map<string, number>();
  for (const program of first.programs ?? []) counts.set(program, (counts.get(program) ?? 0) + 1);
  const list = [...counts].sort(([, a], [, b]) => b - a).map(([program, times]) => `${program} ${times}`);
  return [
    `processor time per node, ${count} nodes at once`,
    table(heading, rows),
    `programs of a first contact: ${list.join(', ') || 'not counted, since there is no strace'}`,
  ].join('\n\n');
}

async function measure(
  context: Context,
  slice: Slice,
  nodes: readonly string[],
  usedMs: () => number,
): Promise<Omit<Cost, 'programs'>> {
  const servers = await processesOf(context, slice, 'servers');
  const before = { own: process.cpuUsage(), used: usedMs(), servers: sumMs(servers), agents: await agentsMs() };
  async function agentsMs(): Promise<number> {
    return sumMs(await processesOf(context, slice, 'agents'));
  }
  const startMs = performance.now();
  await withAgents(context, slice, nodes, async () => {});
  const passedMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(before.own);
  return {
    controllerMs: (user + system) / 1000 / nodes.length,
    nodeMs: (usedMs() - before.used) / nodes.length,
    serverMs: (sumMs(servers) - before.servers) / nodes.length,
    agentMs: ((await agentsMs()) - before.agents) / nodes.length,
    passedMs,
  };
}

/** Contacts the traced node, and returns the names of the programs that ran there; undefined without `strace`. */
async function programsOf(context: Context, slice: Slice): Promise<string[] | undefined> {
  const contact = () => withAgents(context, slice, [traced], async () => {});
  if (!hasProgram('strace')) {
    await contact();
    return undefined;
  }
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-bench-'));
  const file = join(directory, 'trace');
  const servers = await processesOf(context, slice, 'servers');
  const server = servers.find(({ words }) => words.some((word) => word.endsWith(`/nodes/${traced}`)))!;
  const what = ['-f', '-e', 'trace=execve', '-e', 'status=successful', '-o', file];
  const tracer = spawn('strace', [...what, '-p', String(server.pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    // It says when it is attached, and why it cannot be.
    await once(tracer.stderr, 'data');
    await contact();
  } finally {
    const exited = tracer.exitCode === null ? once(tracer, 'exit') : undefined;
    tracer.kill('SIGINT');
    await exited;
  }
  const names = [...readFileSync(file, 'utf8').matchAll(/execve\("([^"]+)"/g)].map(([, path]) => basename(path!));
  rmSync(directory, { recursive: true });
  return names;
}

async function stopAgents(context: Context, slice: Slice): Promise<void> {
  await withAgents(context, slice, slice.nodes.keys(), async (agents) => {
    await Promise.all(agents.nodes().map((node) => agents.get(node).call('shutdown', {})));
  });
  while ((await processesOf(context, slice, 'agents')).length > 0) await sleep(20);
}

/** The processes of all nodes: their SSH servers, or their agents. */
async function processesOf(context: Context, slice: Slice, which: 'servers' | 'agents') {
  const { directory } = context.store.testbeds.forSlice(slice.name)!;
  const all = await commandsBelow(join(directory, 'nodes'));
  const isServer = (words: readonly string[]) => words.some((word) => word.includes('/ssh-server'));
  return all.filter(({ words }) => isServer(words) === (which === 'servers'));
}

/** Processor time of the processes' own threads so far, ms. */
function sumMs(processes: readonly { readonly pid: number }[]): number {
  const threads = processes.flatMap(({ pid }) =>
    readdirSync(`/proc/${pid}/task`).map((thread) => `${pid}/task/${thread}`),
  );
  const ns = threads.map((path) => Number(readFileSync(`/proc/${path}/schedstat`, 'utf8').split(' ')[0]));
  return ns.reduce((sum, one) => sum + one, 0) / 1e6;
}

function sliceOf(count: number): Slice {
  const nodes = Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, {}]));
  const slice = {
    slice: 'contact',
    vnet: '10.81.0.0/16',
    substrate: { nodes },
    vn: {
      name: 'contact',
      routers: ['r'],
      links: [],
      gateways: { g: { node: 'n1', router: 'r' } },
      endHosts: { e: { node: 'n2', gateway: 'g' } },
      flows: [],
    },
    placements: { initial: { r: 'n0' } },
  };
  // JSON is YAML.
  return parseSlice(JSON.stringify(slice), 'contact.yaml');
}
