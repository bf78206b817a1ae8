import { movesRouters } from '../controller/base/phase.ts';
import { recoveryHint } from '../controller/base/unfinished.ts';
import type { MigrateResult } from '../controller/migrate.ts';
import { namesOf } from '../controller/migration/proof.ts';
import { describeRecorded } from '../controller/migration/types.ts';
import type { FlowRecord } from '../store/migrations.ts';
import { clockTime, ms, quotedName, table } from './output.ts';
import { toned } from './style.ts';

/** Formats a migration for people: what moved, how long it took, when each gateway redirected, what each flow lost. */
export function migrationText(result: MigrateResult): string {
  if (result.outcome === 'unchanged') return nothingToDo(result);
  return [summary(result), ...migrationParts(result)].join('\n\n');
}

type Parts = Pick<
  MigrateResult,
  | 'moves'
  | 'fromRecord'
  | 'phases'
  | 'redirections'
  | 'flips'
  | 'flowChanges'
  | 'controlPlanes'
  | 'neighbourEvents'
  | 'guests'
  | 'flows'
>;

/** The parts of a migration's report other than its outcome; omits empty parts. */
export function migrationParts(result: Parts): string[] {
  return [
    ...(result.moves.length > 0 ? [moves(result)] : []),
    ...notCloned(result),
    ...(result.phases.length > 0 ? [phases(result)] : []),
    ...(result.redirections.length > 0 ? [redirections(result)] : []),
    ...((result.flips ?? []).length > 0 ? [flips(result)] : []),
    ...((result.flowChanges ?? []).length > 0 ? [flowChanges(result)] : []),
    ...((result.controlPlanes ?? []).length > 0 ? [controlPlanes(result)] : []),
    ...((result.guests ?? []).length > 0 ? [guests(result)] : []),
    ...((result.neighbourEvents ?? []).length > 0 ? [neighbourEvents(result)] : []),
    ...(result.flows.length > 0 ? [flows(result)] : []),
  ];
}

function nothingToDo({ vn, from, to }: MigrateResult): string {
  if (from === null) return `VN '${vn}' is already on placement ${quotedName(to)}: nothing changed`;
  const alias = from === to ? '' : `, which is the same as ${quotedName(to)}`;
  return `VN '${vn}' is already on placement ${quotedName(from)}${alias}: nothing changed`;
}

function summary(result: MigrateResult): string {
  const { slice, vn, outcome, durationMs, error, control, schedule, urpf, method, unreachable } = result;
  const [from, to] = [quotedName(result.from), quotedName(result.to)];
  const way = movesRouters(method)
    ? `method ${method}, uRPF ${urpf}`
    : `${control} control, schedule ${schedule}, uRPF ${urpf}`;
  if (outcome === 'completed')
    return `${toned('good', `VN '${vn}' moved`)} from ${from} to ${to} in ${ms(durationMs / 1000, 2)} s (${way})${unproven(result)}`;
  const state =
    movesRouters(method) && outcome === 'failed'
      ? `some routers may have moved (pl-vnm status ${slice} shows where each is); ${recoveryHint(slice)}`
      : outcome === 'rolled-back'
        ? `it is still on ${from}, and everything of the attempt was removed`
        : unreachable.length > 0
          ? `node '${unreachable.join("', '")}' cannot be reached, so both instances stay up; when it is back: ${recoveryHint(slice)}`
          : `it is unfinished: ${recoveryHint(slice)}`;
  return `${toned('bad', `VN '${vn}' did not move`)} from ${from} to ${to}: ${error}\n${state}${unproven(result)}`;
}

/** A line for the pairs that no probe could prove, which is not a failure of the migration. */
export function unproven({ unproven: pairs = [] }: Pick<MigrateResult, 'unproven'>): string {
  return pairs.length === 0 ? '' : `\nreachability not proven: ${namesOf(pairs)}`;
}

function moves({ moves: list }: Parts): string {
  const rows = list.map(({ router, from, to }) => [router, from, from === to ? '(stays)' : to]);
  return `what moved\n${table(['router', 'from node', 'to node'], rows)}`;
}

function notCloned({ fromRecord, moves }: Parts): string[] {
  const from = new Map(moves.map((move) => [move.router, move.from]));
  return fromRecord.length === 0 ? [] : [describeRecorded(fromRecord, from)];
}

function phases({ phases: list }: Parts): string {
  return `how long it took\n${table(
    ['phase', 'ms'],
    list.map((phase) => [phase.name, ms(phase.ms, 0)]),
  )}`;
}

function redirections({ redirections: list }: Parts): string {
  const rows = list.map((r) => [
    r.gateway,
    clockTime(r.startedAt),
    ms(r.lagMs, 2),
    ms(r.executionMs, 2),
    ms(r.clockBoundMs, 2),
  ]);
  return `when each gateway redirected\n${table(['gateway', 'at', 'lag ms', 'execution ms', 'clock bound ms'], rows)}`;
}

function flips({ flips: list = [] }: Parts): string {
  const isTimed = list.some(({ plannedAt }) => plannedAt !== undefined);
  const rows = list.map((flip) => [
    flip.router,
    flip.neighbour,
    flip.to,
    clockTime(flip.startedAt),
    ms(flip.finishedAt - flip.startedAt, 1),
    ...(isTimed ? [flip.plannedAt === undefined ? '-' : ms(flip.startedAt - flip.plannedAt, 2)] : []),
  ]);
  const heads = ['router', 'neighbour', 'sends to', 'at', 'took ms', ...(isTimed ? ['lag ms'] : [])];
  return `when each link was flipped\n${table(heads, rows)}`;
}

function flowChanges({ flowChanges: list = [] }: Parts): string {
  const rows = list.map(({ router, entriesMs, flipMs, totalMs }) => [
    router,
    ms(entriesMs, 2),
    ms(flipMs, 2),
    ms(totalMs, 2),
  ]);
  return `how long the change of the flows took\n${table(['router', 'new entries ms', 'flip ms', 'total ms'], rows)}`;
}

function controlPlanes({ controlPlanes: list = [] }: Parts): string {
  const rows = list.map(({ router, way, cold, freezeMs, convergeMs }) => [
    router,
    cold ? `${way} (cold, the baseline)` : way,
    ms(freezeMs, 0),
    ms(convergeMs, 0),
  ]);
  const moved = table(['router', 'way', 'freeze ms', 'converged after ms'], rows);
  const carried = list.flatMap(({ router, checkpoint }) =>
    checkpoint === undefined
      ? []
      : [
          [
            router,
            checkpoint.bytes,
            ms(checkpoint.dumpMs, 0),
            ms(checkpoint.transferMs, 0),
            ms(checkpoint.restoreMs, 0),
          ],
        ],
  );
  const heading = ['checkpoint of', 'bytes', 'dump ms', 'transfer ms', 'restore ms'];
  const followed = list.flatMap(({ router, packets }) =>
    packets === undefined ? [] : [[router, packets.sentOn, packets.held ?? '-', packets.dropped ?? '-']],
  );
  return [
    'how the routing daemons moved',
    moved,
    ...(carried.length === 0 ? [] : [table(heading, carried)]),
    ...(followed.length === 0 ? [] : [table(['OSPF packets of', 'sent on', 'held', 'no room'], followed)]),
  ].join('\n');
}

function guests({ guests: list = [] }: Parts): string {
  const times = list.map((guest) => [
    guest.router,
    guest.way,
    ms(guest.cloneMs, 0),
    ms(guest.moveMs, 0),
    ms(guest.restoreMs, 0),
    ms(guest.switchMs, 0),
    ms(guest.freezeMs, 0),
  ]);
  const sizes = list.map(({ router, memoryMib, bytes, sentBytes, formula }) => [
    router,
    memoryMib,
    bytes,
    sentBytes,
    formula.cloneMs === undefined ? '-' : ms(formula.cloneMs, 0),
    ms(formula.moveMs, 0),
  ]);
  return [
    'how the guests moved',
    table(['router', 'way', 't_clone ms', 't_move ms', 'restore ms', 'switch ms', 'freeze ms'], times),
    table(['router', 'memory MiB', 'copy bytes', 'sent bytes', 'formula t_clone ms', 'formula t_move ms'], sizes),
  ].join('\n');
}

function neighbourEvents({ neighbourEvents: list = [] }: Parts): string {
  const rows = list.map(({ router, neighbour, events }) => [router, neighbour, events]);
  return `what the neighbours noticed\n${table(['router', 'neighbour', 'changes of the adjacency'], rows)}`;
}

function flows({ flows: list }: Parts): string {
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
  const total = (value: (flow: FlowRecord) => number) => list.reduce((sum, flow) => sum + value(flow), 0);
  const lost = `${total((flow) => flow.lost)} of ${total((flow) => flow.sent)} packets lost`;
  return [
    'what the flows lost',
    table(heading, rows),
    lost,
    ...droppedByReceivers(total((f) => f.receiverDropped)),
  ].join('\n');
}

/** A line for packets that the VN delivered but the receiver dropped: they are neither lost nor received. */
function droppedByReceivers(packets: number): string[] {
  if (packets === 0) return [];
  return [
    `${packets} more packets arrived, but the end hosts were too busy to read them and their socket buffers were full: lower the rate of the flows or the load of these nodes, or raise net.core.rmem_max there`,
  ];
}
