import type { MigrateResult } from '../controller/migrate.ts';
import { howToGoOn } from '../controller/migration/journal.ts';
import { describeRecorded } from '../controller/migration/types.ts';
import { clockTime, ms, table } from './output.ts';

/** A migration told to people: what moved, how long it took, when each gateway switched, what each flow lost. */
export function migrationText(result: MigrateResult): string {
  const parts = [summary(result), moves(result), ...notCloned(result), phases(result)];
  if (result.redirections.length > 0) parts.push(redirections(result));
  if (result.flows.length > 0) parts.push(flows(result));
  return parts.join('\n\n');
}

function summary(result: MigrateResult): string {
  const { slice, vn, from, to, outcome, durationMs, error, control, schedule, urpf, away } = result;
  const way = `${control} control, schedule ${schedule}, uRPF ${urpf}`;
  if (outcome === 'completed')
    return `VN '${vn}' moved from '${from}' to '${to}' in ${ms(durationMs / 1000, 2)} s (${way})`;
  const state =
    outcome === 'rolled-back'
      ? `it is still on '${from}', and nothing of the attempt is left`
      : away.length > 0
        ? `node '${away.join("', '")}' cannot be reached, so both instances stay up; when it is back: ${howToGoOn(slice)}`
        : `it stopped on the way: ${howToGoOn(slice)}`;
  return `VN '${vn}' did not move from '${from}' to '${to}': ${error}\n${state}`;
}

function moves({ moves: list }: MigrateResult): string {
  const rows = list.map(({ router, from, to }) => [router, from, from === to ? '(stays)' : to]);
  return `what moved\n${table(['router', 'from node', 'to node'], rows)}`;
}

function notCloned({ fromRecord, moves }: MigrateResult): string[] {
  const from = new Map(moves.map((move) => [move.router, move.from]));
  return fromRecord.length === 0 ? [] : [describeRecorded(fromRecord, from)];
}

function phases({ phases: list }: MigrateResult): string {
  return `how long it took\n${table(
    ['phase', 'ms'],
    list.map((phase) => [phase.name, ms(phase.ms, 0)]),
  )}`;
}

function redirections({ redirections: list }: MigrateResult): string {
  const rows = list.map((r) => [
    r.gateway,
    clockTime(r.startedAt),
    ms(r.lagMs, 2),
    ms(r.executionMs, 2),
    ms(r.clockBoundMs, 2),
  ]);
  return `when each gateway switched\n${table(['gateway', 'at', 'lag ms', 'execution ms', 'known to ± ms'], rows)}`;
}

function flows({ flows: list }: MigrateResult): string {
  const rows = list.map((flow) => [
    `${flow.from} -> ${flow.to}`,
    flow.sent,
    flow.received,
    flow.lost,
    flow.predictedLost === null ? '' : ms(flow.predictedLost, 1),
    flow.reordered,
    flow.duplicated,
    ms(flow.maxGapMs, 0),
  ]);
  const heading = ['flow', 'sent', 'received', 'lost', 'predicted', 'reordered', 'duplicated', 'longest gap ms'];
  const lost = list.reduce((sum, flow) => sum + flow.lost, 0);
  const sent = list.reduce((sum, flow) => sum + flow.sent, 0);
  return `what the flows lost\n${table(heading, rows)}\n${lost} of ${sent} packets lost`;
}
