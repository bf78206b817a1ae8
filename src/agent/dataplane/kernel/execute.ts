/** Runs a plan's commands, all or none. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { Machine } from '../../../vsys/machine.ts';
import type { Daemon } from '../../../vsys/operations.ts';
import { type Command, checkPlain, type ManyLines, type Step } from '../planner/commands.ts';
import { asTyped, batchLine, runBatch, type Tool } from './ip.ts';
import { awaitListeners } from './listeners.ts';
import { undoSteps } from './pending-file.ts';
import { runNft } from './read-filter.ts';
import { writeSettings } from './settings.ts';

/** What runs in namespaces besides the kernel. */
export interface Programs {
  /** Makes a namespace have this daemon, or none. Throws VnmError. */
  daemon(namespace: string, daemon: Daemon | null, how?: { readonly graceful?: boolean }): Promise<void>;
  /** Makes a namespace have this virtual machine, or none. Throws VnmError. */
  machine(namespace: string, machine: Machine | null, how?: { readonly incoming?: true }): Promise<void>;
}

interface Failure {
  readonly message: string;
  /** How many of the steps were done, or may have been. */
  readonly reached: number;
  /** Of a step with many lines, which is not among them, those that were done. */
  readonly partly?: readonly string[];
}

/**
 * Runs the commands in order. If one fails, runs the inverses of those that were done in reverse order and throws
 * VnmError `failed`, which says what failed and why, and what could not be undone, if anything.
 */
export async function execute(commands: readonly Command[], programs: Programs = noPrograms): Promise<void> {
  const steps = commands.map((command) => command.do);
  const [failure] = await runSteps(steps, false, programs);
  if (failure === undefined) return;
  const left = await undo(doneOf(commands, failure), programs);
  if (left.length === 0) throw new VnmError('failed', failure.message, { hint: 'nothing was changed' });
  throw new VnmError('failed', `${failure.message}\n${describeLeft(left)}`, {
    hint: 'undo the rest by hand, or apply the wanted state again',
  });
}

function doneOf(commands: readonly Command[], { reached, partly = [] }: Failure): Command[] {
  const done = commands.slice(0, reached);
  if (partly.length === 0) return done;
  const cut = (step: Step): Step => ('each' in step ? { ...step, each: partly } : step);
  const last = commands[reached]!;
  return [...done, { do: cut(last.do), undo: last.undo.map(cut) }];
}

function describeLeft(left: readonly string[]): string {
  const shown = left.slice(0, 10).map((message) => `not undone: ${message}`);
  return [...shown, ...(left.length > 10 ? [`and ${left.length - 10} more`] : [])].join('\n');
}

/** Returns what could not be undone. */
export async function undo(commands: readonly Command[], programs: Programs = noPrograms): Promise<string[]> {
  return force(undoSteps(commands), programs);
}

/** Runs all steps that can be run. Returns the errors of the others. */
export async function force(steps: readonly Step[], programs: Programs = noPrograms): Promise<string[]> {
  return (await runSteps(steps, true, programs)).map(({ message }) => message);
}

async function none(): Promise<never> {
  throw new VnmError('unsupported', 'there are no routing daemons and no virtual machines here');
}
const noPrograms: Programs = { daemon: none, machine: none };

/** Runs steps in order up to the first failure, or with `force` all of them. */
async function runSteps(steps: readonly Step[], force: boolean, programs: Programs): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const { first, count } of runs(steps)) {
    for (const failure of await runRun(steps.slice(first, first + count), force, programs)) {
      failures.push({ ...failure, reached: first + failure.reached });
    }
    if (failures.length > 0 && !force) break;
  }
  return failures;
}

/**
 * Groups consecutive lines of one tool in one stack, which go to one process, and daemons or machines, which start at
 * once. A step with many lines has processes of its own.
 */
function* runs(steps: readonly Step[]): Generator<{ first: number; count: number }> {
  for (let first = 0; first < steps.length; ) {
    const step = steps[first]!;
    let count = 1;
    while (isSameTool(step, steps[first + count])) count += 1;
    yield { first, count };
    first += count;
  }
}

function isSameTool(a: Step, b: Step | undefined): boolean {
  if (b === undefined || 'each' in a || 'each' in b) return false;
  if (('daemon' in a && 'daemon' in b) || ('machine' in a && 'machine' in b)) return true;
  return a.namespace === b.namespace && batchOf(a) !== undefined && batchOf(a) === batchOf(b);
}

/** The tool that runs many such steps at once. */
function batchOf(step: Step): Tool | undefined {
  return (['ip', 'tc', 'bridge'] as const).find((tool) => tool in step);
}

function lineOf(step: Step): string {
  if ('ip' in step) return batchLine(step.ip, step.rest);
  return batchLine('tc' in step ? step.tc : 'bridge' in step ? step.bridge : []);
}

async function runRun(steps: readonly Step[], force: boolean, programs: Programs): Promise<Failure[]> {
  const [first] = steps;
  if (first === undefined) return [];
  if ('daemon' in first || 'machine' in first) return runPrograms(steps, programs);
  try {
    if ('nft' in first) return await runFilter(first.namespace, first.nft);
    if ('settings' in first) {
      await writeSettings(first.namespace, first.settings);
      return [];
    }
    if ('settleMs' in first) {
      await sleep(first.settleMs);
      return [];
    }
    if ('listeners' in first) {
      await awaitListeners(first.namespace, first.listeners);
      return [];
    }
    if ('each' in first) return await runMany(first, force);
    const tool = batchOf(first)!;
    const lines = steps.map(lineOf);
    const failures = await runBatch(tool, first.namespace, lines, force);
    return failures.map(({ line, words }) => ({
      message: `${asTyped(tool, first.namespace, [lines[line]!.trimEnd()])}: ${words}`,
      reached: line,
    }));
  } catch (error) {
    // The error does not say how many steps were done. Trying to undo one that was not done does no harm.
    return [{ message: messageOf(error), reached: steps.length }];
  }
}

/** How many processes share the lines. The kernel does one after the other, but they are prepared at the same time. */
const atOnce = 2;

async function runMany({ namespace, ip, each, rest }: ManyLines, force: boolean): Promise<Failure[]> {
  const size = Math.ceil(each.length / atOnce);
  const parts = Array.from({ length: atOnce }, (_, index) => each.slice(index * size, (index + 1) * size));
  const begin = batchLine(ip).trimEnd();
  const lineFor = (word: string) => `${begin} ${word}${rest}`;
  checkPlain(each);
  const running = parts
    .filter((part) => part.length > 0)
    .map(async (part) => {
      const failures = await runBatch('ip', namespace, [`${part.map(lineFor).join('\n')}\n`], force);
      return { part, failures };
    });
  // Nothing may be undone while a process still runs.
  await Promise.allSettled(running);
  const ended = await Promise.all(running);
  const partly = ended.flatMap(({ part, failures: [first] }) => part.slice(0, first?.line));
  return ended.flatMap(({ part, failures }) =>
    failures.map(({ line, words }) => ({
      message: `${asTyped('ip', namespace, [lineFor(part[line]!)])}: ${words}`,
      reached: 0,
      partly,
    })),
  );
}

/** If one fails, the others have been done, too. */
async function runPrograms(steps: readonly Step[], programs: Programs): Promise<Failure[]> {
  const puts = steps.map((step) => {
    if ('daemon' in step) return programs.daemon(step.namespace, step.daemon, step);
    return 'machine' in step ? programs.machine(step.namespace, step.machine, step) : undefined;
  });
  const settled = await Promise.allSettled(puts);
  const reached = steps.length;
  return settled.flatMap((one) => (one.status === 'rejected' ? [{ message: messageOf(one.reason), reached }] : []));
}

async function runFilter(namespace: string, lines: readonly string[]): Promise<Failure[]> {
  try {
    await runNft(namespace, lines);
    return [];
  } catch (error) {
    return [{ message: messageOf(error), reached: 0 }];
  }
}
