/** Starts, asks and ends the QEMU of a machine, which outlives the agent. */
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, VnmError } from '../../model/errors.ts';
import { processStart } from '../../model/process-start.ts';
import { killProcesses, lastWords, preferForOom, type Running, startIn } from '../daemons/processes.ts';
import { findProgram } from '../daemons/programs.ts';
import { findAccelerator } from './accelerator.ts';
import { type Boot, filesOf, qemuWords, type Starting } from './command-line.ts';
import { removeUnpacked, unpackImage } from './image.ts';
import type { MachineSpec, MachineState } from './machine.ts';
import { connectQmp, type Qmp } from './qmp.ts';

const program = 'qemu-system-x86_64';
/** QEMU has made the guest's memory and devices within a second; a busy node takes longer. */
const startMs = 30_000;
const answerMs = 10_000;
const pollMs = 20;
/** Besides the guest's memory: QEMU itself, and translated code. */
const ownBytes = 2 ** 30;
const maxConsoleBytes = 1024 * 1024;

/** Says what is missing on this node for virtual machines; undefined if nothing is. */
export function lacksForMachines(): string | undefined {
  if (findProgram(program) === undefined) return `there is no '${program}' (package qemu-system-x86)`;
  return undefined;
}

/**
 * Starts a machine. Resolves when QEMU answers; the guest boots then. `begin`: `paused` until `continueMachine`;
 * `copy`: waits for one (copy.ts). Throws VnmError; then nothing of it runs. What is in the folder stays.
 */
export async function startMachine(
  spec: MachineSpec,
  { begin = 'run' }: Partial<Pick<Starting, 'begin'>> = {},
): Promise<{ readonly pid: number }> {
  const lack = lacksForMachines();
  if (lack !== undefined) throw new VnmError('unsupported', `no virtual machine: ${lack}`);
  const { folder, namespace } = spec;
  const files = filesOf(folder);
  // One that an agent started which was killed then.
  await endMachine(folder);
  for (const path of [files.control, files.questions, files.console, files.pid]) rmSync(path, { force: true });
  chmodSync(folder, 0o711);
  try {
    const boot: Boot = await unpackImage(spec.image, folder);
    const words = qemuWords(spec, { accelerator: findAccelerator(), boot, user: userOf(folder), begin });
    const place = { log: files.log, netns: join('/run/netns', namespace) };
    const { exited } = startIn(place, [program, ...words], { dataBytes: spec.memoryMib * 2 ** 20 + ownBytes });
    await answering(folder, exited);
    const running = findMachine(folder);
    preferForOom(running);
    return { pid: running[0]!.pid };
  } catch (error) {
    await endMachine(folder);
    throw error;
  } finally {
    removeUnpacked(folder);
  }
}

/** Resolves when QEMU answers. `exited`: of the process that became QEMU. Throws VnmError `failed`. */
async function answering(folder: string, exited: Promise<number | null>): Promise<void> {
  let end: string | undefined;
  exited.then(
    (code) => {
      end = `QEMU ended with code ${code}`;
    },
    (error: unknown) => {
      end = messageOf(error);
    },
  );
  for (const endMs = performance.now() + startMs; ; await sleep(pollMs)) {
    if (end === undefined && (await machineState(folder)) !== undefined) return;
    if (end === undefined && performance.now() < endMs) continue;
    const why = end ?? `QEMU does not answer within ${startMs / 1000} s`;
    throw new VnmError('failed', `the virtual machine did not start: ${why}: ${lastWords(filesOf(folder))}`);
  }
}

/** Unused numbers by convention, from here on (systemd's "Users, Groups, UIDs and GIDs"). */
const firstUser = 0x70000000;

/**
 * The number of the user as which a machine's QEMU runs: one for each machine, so that a guest which breaks out reaches
 * nothing else. Undefined where the agent's user namespace lacks these numbers.
 */
function userOf(folder: string): number | undefined {
  const user = firstUser + createHash('sha256').update(folder).digest().readUIntBE(0, 3);
  const maps = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n');
  const isMapped = maps.some((line) => {
    const [from, , count] = line.trim().split(/\s+/).map(Number) as [number, number, number];
    return user >= from && user < from + count;
  });
  return isMapped ? user : undefined;
}

/** The processes of the machine in this folder: one, or none. Found whoever started it. */
export function findMachine(folder: string): Running[] {
  const { pid: mark } = filesOf(folder);
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      let words: string[];
      try {
        words = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0');
      } catch {
        // It has ended, or belongs to somebody else.
        return [];
      }
      const start = words.includes(mark) ? processStart(Number(entry)) : undefined;
      return start === undefined ? [] : [{ name: basename(words[0]!), pid: Number(entry), start }];
    });
}

/** Ends the machine at once. Throws VnmError `failed` if it stays. */
export async function endMachine(folder: string): Promise<void> {
  await killProcesses(() => findMachine(folder));
}

/** Returns QEMU's word; undefined if none answers. */
export async function machineState(folder: string): Promise<MachineState | undefined> {
  try {
    return await ask(folder, async (qmp) => (await qmp.execute<{ status: string }>('query-status')).status);
  } catch {
    return undefined;
  }
}

async function ask<T>(folder: string, body: (qmp: Qmp) => Promise<T>): Promise<T> {
  const qmp = await connectQmp(filesOf(folder).questions, AbortSignal.timeout(answerMs));
  try {
    return await body(qmp);
  } finally {
    qmp.close();
  }
}

/** Lets a guest go on that stands still, one that was copied or restored also. Throws VnmError. */
export function continueMachine(folder: string): Promise<void> {
  return ask(folder, async (qmp) => {
    await qmp.execute('cont');
  });
}

/** Keeps the newer part of what the guest has printed. QEMU appends, also after the log was cut. */
export function keepConsoleSmall(folder: string): void {
  const { consoleLog } = filesOf(folder);
  if ((statSync(consoleLog, { throwIfNoEntry: false })?.size ?? 0) <= maxConsoleBytes) return;
  copyFileSync(consoleLog, `${consoleLog}.old`);
  truncateSync(consoleLog);
}
