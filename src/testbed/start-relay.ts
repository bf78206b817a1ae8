/** Starts the relay that gives a testbed its latencies. */
import { writeFile } from 'node:fs/promises';
import { tunnelKinds } from '../model/tunnel.ts';
import { moduleCommand, startDaemon } from './daemon.ts';
import { testbedFiles } from './layout.ts';
import { linkPlanOf, type TestbedPlan, underlayNamespace } from './plan.ts';
import type { RelayPlan } from './relay.ts';
import { run } from './run.ts';

/**
 * V8 without background threads. At real-time priority these and the main thread do not take turns: a main thread that
 * waits in its event loop for the end of a background sweep keeps the sweep off the processor for ever.
 */
const singleThreaded = '--single-threaded';

export async function startRelay(plan: TestbedPlan, directory: string, signal: AbortSignal): Promise<void> {
  const at = (address: string) => ({ address, port: tunnelKinds.vxlan.carriedBy.port });
  const relayPlan: RelayPlan = {
    links: linkPlanOf(plan),
    ends: plan.nodes.map(({ underlay, address }, node) => ({ node, underlay: at(underlay), address: at(address) })),
    senders: 'address',
  };
  await runRelay(relayPlan, directory, signal, underlayNamespace(plan.id));
}

/** Returns the relay's first message: the ports where it receives, in the order of the plan's ends. */
export async function runRelay(
  relayPlan: RelayPlan,
  directory: string,
  signal: AbortSignal,
  namespace?: string,
): Promise<unknown> {
  const files = testbedFiles(directory);
  await writeFile(files.relayPlan, JSON.stringify(relayPlan));
  const command = await promptCommand('relay', [files.relayPlan]);
  const env = { PATH: process.env.PATH };
  const inside = namespace === undefined ? {} : { namespace };
  return startDaemon({ ...inside, command, env, cwd: directory, log: files.relayLog }, signal);
}

/** Returns the command that runs a module of this folder with as little delay as the machine grants. */
export async function promptCommand(module: string, args: readonly string[]): Promise<string[]> {
  const [node, ...script] = moduleCommand(module, args) as [string, ...string[]];
  return [...(await realtimePrefix()), node, singleThreaded, ...script];
}

/**
 * The lowest real-time priority, where the machine grants one: before all ordinary work, after processes with finer
 * timing.
 */
async function realtimePrefix(): Promise<string[]> {
  const prefix = ['chrt', '-f', '1'];
  return run('chrt', [...prefix.slice(1), 'true']).then(
    () => prefix,
    () => [],
  );
}
