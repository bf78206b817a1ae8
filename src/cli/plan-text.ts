import type { PlannedFlow } from '../controller/migration/planned-flow.ts';
import { spreadWarning } from '../controller/migration/spread-warning.ts';
import type { PlannedSchedule, PlanResult } from '../controller/plan.ts';
import { ms, quotedName, table } from './output.ts';

/** Formats a plan for people: what moves, a table of the schedules, and in words what will happen and why. */
export function planText(result: PlanResult): string {
  const parts = [heading(result), moves(result), latencies(result), schedules(result)];
  if (result.schedules.length === 1) parts.push(flows(result.schedules[0]!));
  return [...parts, words(result)].join('\n\n');
}

function heading({ vn, from, to, urpf, latency, granularity }: PlanResult): string {
  return `VN '${vn}' from ${quotedName(from)} to '${to}', uRPF ${urpf}, ${latency} latencies, redirection per ${granularity === 'peer' ? 'remote gateway' : 'gateway'}`;
}

function moves({ moves: list }: PlanResult): string {
  return table(
    ['router', 'from node', 'to node'],
    list.map(({ router, from, to }) => [router, from, from === to ? '(stays)' : to]),
  );
}

function latencies({ schedules: [first] }: PlanResult): string {
  const rows = first!.flows.map((flow) => [
    `${flow.from} -> ${flow.to}`,
    flow.oldLatencyMs === null ? 'down' : ms(flow.oldLatencyMs),
    ms(flow.newLatencyMs),
  ]);
  return table(['flow', 'old path ms', 'new path ms'], rows);
}

function schedules({ schedules: list }: PlanResult): string {
  const rows = list.map((schedule) => [
    schedule.name,
    ms(total(schedule, (flow) => flow.predictedLost)),
    ms(total(schedule, (flow) => flow.worstLost)),
    ms(schedule.objective),
    ms(total(schedule, (flow) => flow.predictedReordered)),
    ms(schedule.flows.reduce((most, flow) => Math.max(most, flow.addedDelayMs), 0)),
    instants(schedule),
  ]);
  return table(
    ['schedule', 'lost', 'at worst', 'x priority', 'reordered', 'delay ms', 'gateways redirect at T + ms'],
    rows,
  );
}

function flows({ flows: list }: PlannedSchedule): string {
  const rows = list.map((flow) => [
    `${flow.from} -> ${flow.to}`,
    ms(flow.predictedLossMs),
    ms(flow.predictedLost),
    ms(flow.worstLost),
    ms(flow.predictedReordered),
    ms(flow.addedDelayMs),
  ]);
  return table(['flow', 'lost ms', 'lost packets', 'at worst', 'reordered', 'delay ms'], rows);
}

function words({ schedules: list, urpf }: PlanResult): string {
  const lines = list.map((schedule) => `${schedule.name}: ${sentence(schedule, urpf)}`);
  const narrow = list.flatMap(({ name, flows }) =>
    flows
      .filter((flow) => flow.windowTooNarrow)
      .map((flow) => `${name}, ${flow.from} -> ${flow.to}: window narrower than the timing uncertainty`),
  );
  const unsteady = list.flatMap(({ name, flows }) =>
    flows.map(spreadWarning).flatMap((text) => (text === undefined ? [] : `${name}, ${text}`)),
  );
  return [...lines, ...unsteady, ...narrow].join('\n');
}

function sentence(schedule: PlannedSchedule, urpf: PlanResult['urpf']): string {
  const lost = total(schedule, (flow) => flow.predictedLost);
  const reordered = total(schedule, (flow) => flow.predictedReordered);
  if (schedule.name === 'drain')
    return 'every gateway holds its end hosts’ traffic until nothing is in flight, so nothing is lost or reordered.';
  if (schedule.name === 'hold')
    return 'gateways whose new path is faster hold their traffic for the difference, so nothing is lost or reordered.';
  if (urpf !== 'strict') {
    const order =
      reordered > 0
        ? `about ${ms(reordered)} packets are reordered, because the new path is faster`
        : 'nothing is reordered';
    return `gateways accept packets from both instances, so nothing is lost whatever the timing; ${order}.`;
  }
  if (lost === 0)
    return 'each gateway redirects after the last packet on the old path and before the first on the new one, so nothing is lost.';
  const worst = schedule.flows.reduce((most, flow) => (flow.predictedLost > most.predictedLost ? flow : most));
  return `about ${ms(lost)} packets are lost, most of them (${ms(worst.predictedLost)}) from ${worst.from} to ${worst.to}: under strict uRPF a gateway accepts one path at a time.`;
}

function total({ flows: list }: PlannedSchedule, value: (flow: PlannedFlow) => number): number {
  return list.reduce((sum, flow) => sum + value(flow), 0);
}

/** More instants would make the table unreadable; `--json` has all. */
const maxInstants = 32;

function instants({ offsets, gates }: PlannedSchedule): string {
  const all = Object.entries(offsets);
  const shown = all.slice(0, maxInstants).map(([gateway, at]) => {
    const gate = gates[gateway];
    const held = gate === undefined ? '' : ` (holds ${ms(-gate.closeBeforeMs)}..${ms(gate.releaseAfterMs)})`;
    return `${gateway} ${ms(at)}${held}`;
  });
  return [...shown, ...(all.length > maxInstants ? [`and ${all.length - maxInstants} more`] : [])].join(', ');
}
