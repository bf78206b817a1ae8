/** Entry point of the agent, which is bundled into one file. Large modules are loaded only where they are needed. */
import './node-20.ts';
import { parseArgs } from 'node:util';
import { workerData } from 'node:worker_threads';
import { messageOf, VnmError } from '../model/errors.ts';
import type { Policy } from '../vsys/policy.ts';
import { isTimingThreadData } from './armed/types.ts';

const usage = 'usage: agent attach --slice NAME | daemon --slice NAME | host --slice NAME --address A | version';

async function main(): Promise<void> {
  if (isTimingThreadData(workerData)) {
    const { runTimingThread } = await import('./armed/timing-thread.ts');
    const { createActuator } = await import('./dataplane/actuators.ts');
    runTimingThread(workerData, createActuator(workerData.actuator));
  }
  const file = process.argv[1]!;
  const { values, positionals } = parseArgs({
    options: {
      slice: { type: 'string' },
      policy: { type: 'string' },
      address: { type: 'string' },
      outside: { type: 'string' },
      socket: { type: 'string' },
      'own-lock': { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const [command, ...others] = positionals;
  const { slice, policy, address, outside, socket } = values;
  if (others.length === 0 && command === 'version') {
    const { agentVersion } = await import('./version.ts');
    process.stdout.write(`${JSON.stringify(agentVersion(file))}\n`);
  } else if (others.length === 0 && command === 'attach' && slice !== undefined) {
    const { attach } = await import('./attach.ts');
    await attach(slice, file, policy);
  } else if (others.length === 0 && command === 'daemon' && slice !== undefined) {
    const { runDaemon } = await import('./daemon.ts');
    await runDaemon(slice, file, { brought: await readBrought(policy), takesLock: values['own-lock'] });
  } else if (others.length === 0 && command === 'host' && slice !== undefined && address !== undefined) {
    const { printStart } = await import('./hosts/host.ts');
    process.exitCode = await printStart({ slice, address }, file);
  } else if (command === 'host-inside' && slice !== undefined && address !== undefined && outside !== undefined) {
    const { runInside } = await import('./hosts/inside.ts');
    process.exit(await runInside({ slice, address }, outside, others));
  } else if (command === 'console' && socket !== undefined) {
    const { useConsole } = await import('./guests/console.ts');
    process.exit(await useConsole(socket, others));
  } else {
    throw new VnmError('usage', usage);
  }
}

/** Decodes the policy that the controller passed. Throws VnmError `usage`. */
async function readBrought(text: string | undefined): Promise<Policy | undefined> {
  if (text === undefined) return undefined;
  const { decodePolicy } = await import('../vsys/policy.ts');
  return decodePolicy(text);
}

main().catch((error: unknown) => {
  const hint = error instanceof VnmError && error.hint !== undefined ? ` (${error.hint})` : '';
  process.stderr.write(`${messageOf(error)}${hint}\n`);
  process.exitCode = error instanceof VnmError ? error.exitCode : 1;
});
