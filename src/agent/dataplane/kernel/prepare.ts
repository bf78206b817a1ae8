/** The lines of actions that are done later. */
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { ArmedAction, Prepared } from '../dataplane.ts';
import { bucketWords, gateName, parseGate, type QdiscJson } from './gate.ts';
import { batchLine, ownStack, showBatch } from './ip.ts';
import { readNexthops, redirectLines } from './redirect.ts';
import type { Gate } from './state.ts';
import type { WarmIp } from './warm-ip.ts';

/** Made for the groups and gates as they are now. Throws VnmError `not-found`, `conflict`. */
export async function prepareActions(warm: WarmIp, actions: readonly ArmedAction[]): Promise<Prepared[]> {
  const nexthops = await readNexthops(warm);
  const interfaces = actions.flatMap((action) => (action.kind === 'redirect' ? [] : [action.interface]));
  const gates = await readGates([...new Set(interfaces)]);
  return actions.map((action): Prepared => {
    if (action.kind === 'redirect') return { tool: 'ip', lines: redirectLines(nexthops, action.groups) };
    const gate = { ...gates.get(action.interface)!, closed: action.kind === 'gate_close' };
    return { tool: 'tc', lines: [batchLine(bucketWords(gateName(action.interface), gate))] };
  });
}

/** By the names of the interfaces. */
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
  if (gate === undefined) throw noGate(`the one of '${name}' is not complete`);
  return gate;
}

function noGate(why: string): VnmError {
  return new VnmError('not-found', `there is no such gate: ${why}`, { hint: 'gate_up makes it' });
}
