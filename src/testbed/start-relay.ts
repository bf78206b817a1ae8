/** Starts the relay that gives a testbed its latencies. */
import { writeFile } from 'node:fs/promises';
import { moduleCommand, startDaemon } from './daemon.ts';
import { testbedFiles } from './layout.ts';
import { type TestbedPlan, underlayNamespace } from './plan.ts';
import type { RelayPlan } from './relay.ts';
import { run } from './run.ts';

export async function startRelay(plan: TestbedPlan, directory: string, signal: AbortSignal): Promise<void> {
  const files = testbedFiles(directory);
  const relayPlan: RelayPlan = {
    nodes: plan.nodes.map(({ underlay, address }) => ({ underlay, address })),
    delaysMs: plan.delaysMs,
  };
  await writeFile(files.relayPlan, JSON.stringify(relayPlan));
  const command = [...(await realtimePrefix()), ...moduleCommand('relay', [files.relayPlan])];
  const env = { PATH: process.env.PATH };
  await startDaemon(
    { namespace: underlayNamespace(plan.id), command, env, cwd: directory, log: files.relayLog },
    signal,
  );
}

/** The least real-time priority, where the machine grants one: ahead of all ordinary work, behind whoever times more finely. */
async function realtimePrefix(): Promise<string[]> {
  const prefix = ['chrt', '-f', '1'];
  return run('chrt', [...prefix.slice(1), 'true']).then(
    () => prefix,
    () => [],
  );
}
