/** Starts the relay that gives a testbed its latencies. */
import { writeFile } from 'node:fs/promises';
import { tunnelKinds } from '../model/tunnel.ts';
import { moduleCommand, startDaemon } from './daemon.ts';
import { testbedFiles } from './layout.ts';
import { type TestbedPlan, underlayNamespace } from './plan.ts';
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
    nodes: plan.nodes.map(({ underlay, address }) => ({ underlay: at(underlay), address: at(address) })),
    delaysMs: plan.delaysMs,
    senders: 'address',
    ...(plan.impairment === undefined ? {} : { impairment: plan.impairment }),
  };
  await runRelay(relayPlan, directory, signal, underlayNamespace(plan.id));
}

/** Returns the relay's first message: the ports where it receives, in the order of the plan's nodes. */
export async function runRelay(
  relayPlan: RelayPlan,
  directory: string,
  signal: AbortSignal,
  namespace?: string,
): Promise<unknown> {
  const files = testbedFiles(directory);
  await writeFile(files.relayPlan, JSON.stringify(relayPlan));
  const [node, ...script] = moduleCommand('relay', [files.relayPlan]) as [string, ...string[]];
  const command = [...(await realtimePrefix()), node, singleThreaded, ...script];
  const env = { PATH: process.env.PATH };
  const inside = namespace === undefined ? {} : { namespace };
  return startDaemon({ ...inside, command, env, cwd: directory, log: files.relayLog }, signal);
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
