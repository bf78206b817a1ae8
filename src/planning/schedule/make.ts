import { VnmError } from '../../model/errors.ts';
import type { UrpfMode } from '../../model/route.ts';
import { checkFlowPaths } from '../loss/flow-path.ts';
import { checkUncertainty } from '../loss/uncertainty.ts';
import { drainGates, holdGates } from './gates.ts';
import { heuristicOffsets } from './heuristic.ts';
import { type Chooser, chooseOffsets, type GatewayOffsets, type Group } from './offsets.ts';
import { optimalOffsets } from './optimal.ts';
import { type Gate, type Schedule, type ScheduleName, type ScheduleRequest, scheduleNames } from './types.ts';

/** The schedules that a uRPF mode allows. Under strict, `hold` would lose the packets in flight. */
export function schedulesFor(urpf: UrpfMode): ScheduleName[] {
  return scheduleNames.filter((name) => name !== 'hold' || urpf !== 'strict');
}

/**
 * Makes the schedule with this name. If nothing can be lost (feasible or loose uRPF, or a gate), waiting for another
 * gateway has no benefit, and all redirections are at T.
 *
 * Throws VnmError `invalid-input` for a flow with impossible numbers or gateways, impossible timing, and `hold` under
 * strict uRPF.
 */
export function makeSchedule(name: ScheduleName, request: ScheduleRequest): Schedule {
  const { gateways, flows, granularity } = request;
  checkFlowPaths(flows, gateways);
  checkUncertainty(request.uncertainty);
  checkAllowed(name, request.urpf);
  const offsets = chooseOffsets(granularity, { gateways, flows }, chooserFor(name, request));
  return { ...offsets, name, gates: gatesFor(name, request) };
}

/** Throws VnmError `invalid-input` if the uRPF mode does not allow the schedule. */
export function checkAllowed(name: ScheduleName, urpf: UrpfMode): void {
  if (schedulesFor(urpf).includes(name)) return;
  throw new VnmError('invalid-input', `schedule '${name}' loses packets in flight under ${urpf} uRPF`, {
    hint: `use '--urpf feasible', or one of the schedules ${schedulesFor(urpf).join(', ')}`,
  });
}

function chooserFor(name: ScheduleName, { urpf, uncertainty }: ScheduleRequest): Chooser {
  if (urpf === 'strict' && name === 'heuristic') return heuristicOffsets;
  if (urpf === 'strict' && name === 'optimal') return (group) => optimalOffsets(group, uncertainty);
  return together;
}

function gatesFor(name: ScheduleName, { flows, uncertainty }: ScheduleRequest): ReadonlyMap<string, Gate> {
  if (name === 'hold') return holdGates(flows, uncertainty);
  if (name === 'drain') return drainGates(flows, uncertainty);
  return new Map();
}

function together({ gateways }: Group): GatewayOffsets {
  return new Map(gateways.map((gateway) => [gateway, 0]));
}
