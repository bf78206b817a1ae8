/** Turns what is armed into lines for the waiting tools. */
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { Armable } from '../../../vsys/armable.ts';
import { type ByKind, forKind, subjectsOf } from '../armable.ts';
import { bucketWords, gateName, parseGate, type QdiscJson } from '../planner/gate.ts';
import { type Gate, ownStack } from '../planner/state.ts';
import type { KernelStep } from './actuator.ts';
import { batchLine, showBatch } from './ip.ts';
import { readNexthops, redirectLines } from './redirect.ts';
import type { WarmIp } from './warm-ip.ts';

/** Makes steps for the present groups and gates. Throws VnmError `not-found`, `conflict`. */
export async function prepareSteps(warm: WarmIp, armables: readonly Armable[]): Promise<KernelStep[]> {
  const nexthops = await readNexthops(warm);
  const gates = await readGates([...new Set(armables.flatMap((armable) => subjectsOf(armable).gates))]);
  const gateStep = (name: string, closed: boolean): KernelStep => {
    return { tool: 'tc', lines: [batchLine(bucketWords(gateName(name), { ...gates.get(name)!, closed }))] };
  };
  const steps: ByKind<KernelStep> = {
    redirect: ({ groups }) => ({ tool: 'ip', lines: redirectLines(nexthops, groups) }),
    gate_close: ({ interface: name }) => gateStep(name, true),
    gate_open: ({ interface: name }) => gateStep(name, false),
  };
  return armables.map((armable) => forKind(steps, armable));
}

/** Returns the gates by the names of their interfaces. */
async function readGates(interfaces: readonly string[]): Promise<Map<string, Gate>> {
  if (interfaces.length === 0) return new Map();
  const lines = interfaces.map((name) => ['qdisc', 'show', 'dev', gateName(name)]);
  const answers = await showBatch('tc', ownStack, lines).catch((error: unknown) => {
    throw noGate(messageOf(error));
  });
  return new Map(interfaces.map((name, index) => [name, requireGate(name, answers[index] as QdiscJson[])]));
}

function requireGate(name: string, qdiscs: readonly QdiscJson[]): Gate {
  const { gate } = parseGate(qdiscs);
  if (gate === undefined) throw noGate(`the gate of '${name}' is incomplete`);
  return gate;
}

function noGate(why: string): VnmError {
  return new VnmError('not-found', `there is no such gate: ${why}`, { hint: 'create it with gate_up' });
}
