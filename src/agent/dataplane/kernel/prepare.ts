/** Turns what is armed into lines for the waiting tools, and messages for switches. */
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { FlowEntry } from '../../../model/flow-entry.ts';
import type { Armable } from '../../../vsys/armable.ts';
import { parseSwitch } from '../../../vsys/switch-config.ts';
import { switchSocket, wireEntries } from '../../daemons/openvswitch.ts';
import { placeOf } from '../../daemons/place.ts';
import { addEntry, changeOf } from '../../openflow/messages.ts';
import { type ByKind, forKind, subjectsOf } from '../armable.ts';
import { neighbourStep } from '../planner/commands.ts';
import { bucketWords, gateName, parseGate, type QdiscJson } from '../planner/gate.ts';
import { type Gate, type KnownDaemon, ownStack } from '../planner/state.ts';
import type { KernelStep } from './actuator.ts';
import { batchLine, showBatch } from './ip.ts';
import { readNexthops, redirectLines } from './redirect.ts';
import type { WarmIp } from './warm-ip.ts';

/**
 * Makes steps for the present groups and gates, and the switches of router namespaces. Throws VnmError `not-found`,
 * `conflict`.
 */
export async function prepareSteps(
  warm: WarmIp,
  armables: readonly Armable[],
  daemons: ReadonlyMap<string, KnownDaemon>,
): Promise<KernelStep[]> {
  const nexthops = await readNexthops(warm);
  const gates = await readGates([...new Set(armables.flatMap((armable) => subjectsOf(armable).gates))]);
  const gateStep = (name: string, closed: boolean): KernelStep => {
    return { tool: 'tc', lines: [batchLine(bucketWords(gateName(name), { ...gates.get(name)!, closed }))] };
  };
  const steps: ByKind<KernelStep> = {
    redirect: ({ groups }) => ({ tool: 'ip', lines: redirectLines(nexthops, groups) }),
    gate_close: ({ interface: name }) => gateStep(name, true),
    gate_open: ({ interface: name }) => gateStep(name, false),
    flow: ({ namespace, entries }) => switchChange(namespace, entries, daemons),
    neighbour: ({ interface: name, address, mac }) => {
      const step = neighbourStep('replace', { namespace: ownStack, name }, { address, mac });
      return { tool: 'ip', lines: 'ip' in step ? [batchLine(step.ip)] : [] };
    },
  };
  return armables.map((armable) => forKind(steps, armable));
}

/** Throws VnmError `not-found` for a namespace without a switch, or an entry for a port that the switch lacks. */
function switchChange(
  namespace: string,
  entries: readonly FlowEntry[],
  daemons: ReadonlyMap<string, KnownDaemon>,
): KernelStep {
  const daemon = daemons.get(namespace)?.daemon;
  if (daemon?.kind !== 'openvswitch') {
    throw new VnmError('not-found', `there is no switch in namespace '${namespace}'`, {
      hint: 'start it with daemon_up',
    });
  }
  const { ports } = parseSwitch(daemon.config);
  const xid = nextXid();
  const mods = wireEntries({ ports, entries }).map((entry) => (number: number) => addEntry(number, entry));
  return { socket: switchSocket(placeOf(namespace)), bytes: changeOf(xid, mods), xid };
}

let lastXid = 0;

/** Tells the changes that one connection carries apart. */
function nextXid(): number {
  lastXid = (lastXid % 0x7fffffff) + 1;
  return lastXid;
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
