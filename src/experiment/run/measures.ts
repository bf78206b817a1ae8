/** Pure: what a run measured, as values of one run, and as tables of its flows and redirections. */
import { phaseNames } from '../../controller/base/phase.ts';
import type { MigrateResult } from '../../controller/migrate.ts';
import type { GuestMove } from '../../controller/migration/types.ts';
import { payloadBytes } from '../../controller/probe/traffic.ts';
import { gatewayOf, type VirtualNetwork } from '../../model/slice.ts';
import type { RedirectionRecord } from '../../store/migrations.ts';
import type { Row, Table } from '../table.ts';

/** A measured value of one run by its name, which ends in the unit. */
export type Values = Readonly<Record<string, number>>;

/** How much of a flow arrived, whoever sent it; null where the sender does not count that. */
export interface FlowCounts {
  /** End hosts. */
  readonly from: string;
  readonly to: string;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly receiverDropped: number | null;
  readonly reordered: number | null;
  readonly duplicated: number | null;
  readonly maxGapMs: number | null;
  readonly minLatencyMs: number | null;
  readonly maxLatencyMs: number | null;
}

const phaseMeasures = phaseNames.map(phaseMeasure);

/** All other measured values, in the order of the columns; phases come after the duration. */
const measures = [
  'duration_ms',
  'sent_packets',
  'received_packets',
  'lost_packets',
  'lost_percent',
  'predicted_lost_packets',
  'reordered_packets',
  'duplicated_packets',
  'receiver_dropped_packets',
  'longest_gap_ms',
  'min_latency_ms',
  'max_latency_ms',
  'd_real_ms',
  'redirection_spread_ms',
  'max_lag_ms',
  'max_execution_ms',
  'max_clock_bound_ms',
  'flip_span_ms',
  'flow_change_ms',
  'freeze_ms',
  'converge_ms',
  'clone_ms',
  'move_ms',
  'restore_ms',
  'switch_ms',
  'copy_bytes',
  'formula_clone_ms',
  'formula_move_ms',
  'neighbour_events',
] as const;

type Measure = (typeof measures)[number];

/** All measured values that a run can have. */
export const measureNames: readonly string[] = [...measures, ...phaseMeasures];

/** The measured value of a phase, like `phase_add_nodes_ms`. */
export function phaseMeasure(phase: string): string {
  return `phase_${phase.replaceAll(' ', '_')}_ms`;
}

/** The names of the values that some run has, in the order of the columns. */
export function measuresIn(runs: Iterable<Values>): string[] {
  const found = new Set([...runs].flatMap((values) => Object.keys(values)));
  const phases = [...found].filter((name) => phaseMeasures.includes(name));
  const others = measures.filter((name) => found.has(name));
  const [first, ...rest] = others;
  return first === 'duration_ms' ? [first, ...phases, ...rest] : [...phases, ...others];
}

/** What a migration reports and a run keeps; a run without a migration has only the first four. */
export type RunResult = Pick<
  MigrateResult,
  | 'outcome'
  | 'durationMs'
  | 'phases'
  | 'redirections'
  | 'flows'
  | 'planned'
  | 'flips'
  | 'flowChanges'
  | 'controlPlanes'
  | 'neighbourEvents'
  | 'guests'
  | 'error'
  | 'unproven'
>;

/** The values of one run. `counts`: its flows. */
export function valuesOfRun(vn: VirtualNetwork, result: RunResult, counts: readonly FlowCounts[]): Values {
  const { redirections, planned, flips, flowChanges, controlPlanes, neighbourEvents, guests } = result;
  const values: Partial<Record<Measure, number | undefined>> = {
    duration_ms: result.durationMs,
    ...(counts.length === 0 ? {} : countsOf(counts)),
    ...(counts.length === 0 || planned === undefined
      ? {}
      : { predicted_lost_packets: sum(planned.map(({ predictedLost }) => predictedLost)) }),
    ...(redirections.length === 0 ? {} : timesOf(vn, redirections)),
    ...(flips === undefined || flips.length === 0
      ? {}
      : {
          flip_span_ms:
            Math.max(...flips.map(({ finishedAt }) => finishedAt)) -
            Math.min(...flips.map(({ startedAt }) => startedAt)),
        }),
    ...(flowChanges === undefined ? {} : { flow_change_ms: Math.max(...flowChanges.map(({ totalMs }) => totalMs)) }),
    ...(controlPlanes === undefined
      ? {}
      : {
          freeze_ms: Math.max(...controlPlanes.map(({ freezeMs }) => freezeMs)),
          converge_ms: Math.max(...controlPlanes.map(({ convergeMs }) => convergeMs)),
        }),
    ...(guests === undefined ? {} : guestValues(guests)),
    ...(neighbourEvents === undefined ? {} : { neighbour_events: sum(neighbourEvents.map(({ events }) => events)) }),
  };
  return rounded({ ...values, ...phasesOf(result) });
}

/** Of all guests that moved, one after the other. */
function guestValues(guests: readonly GuestMove[]): Partial<Record<Measure, number | undefined>> {
  const total = (value: (guest: GuestMove) => number) => sum(guests.map(value));
  const clones = guests.flatMap(({ formula }) => formula.cloneMs ?? []);
  return {
    freeze_ms: Math.max(...guests.map(({ freezeMs }) => freezeMs)),
    clone_ms: total(({ cloneMs }) => cloneMs),
    move_ms: total(({ moveMs }) => moveMs),
    restore_ms: total(({ restoreMs }) => restoreMs),
    switch_ms: total(({ switchMs }) => switchMs),
    copy_bytes: total(({ bytes }) => bytes),
    formula_clone_ms: clones.length === 0 ? undefined : sum(clones),
    formula_move_ms: total(({ formula }) => formula.moveMs),
  };
}

/** Phases that repeat, as those of method `vroom` for each router, are added. */
function phasesOf({ phases }: RunResult): Record<string, number> {
  const byName = Map.groupBy(phases, ({ name }) => phaseMeasure(name));
  return Object.fromEntries([...byName].map(([name, all]) => [name, sum(all.map(({ ms }) => ms))]));
}

function countsOf(counts: readonly FlowCounts[]): Partial<Record<Measure, number | undefined>> {
  const all = (value: (flow: FlowCounts) => number | null) => {
    const known = counts.map(value).filter((one) => one !== null);
    return known.length < counts.length ? undefined : known;
  };
  const total = (value: (flow: FlowCounts) => number | null) => {
    const known = all(value);
    return known === undefined ? undefined : sum(known);
  };
  const latest = all(({ maxLatencyMs }) => maxLatencyMs);
  const earliest = all(({ minLatencyMs }) => minLatencyMs);
  const gaps = all(({ maxGapMs }) => maxGapMs);
  const [sent, lost] = [total((flow) => flow.sent)!, total((flow) => flow.lost)!];
  return {
    sent_packets: sent,
    received_packets: total((flow) => flow.received),
    lost_packets: lost,
    lost_percent: percentOf(lost, sent),
    reordered_packets: total((flow) => flow.reordered),
    duplicated_packets: total((flow) => flow.duplicated),
    receiver_dropped_packets: total((flow) => flow.receiverDropped),
    longest_gap_ms: gaps && Math.max(...gaps),
    min_latency_ms: earliest && Math.min(...earliest),
    max_latency_ms: latest && Math.max(...latest),
  };
}

function timesOf(
  vn: VirtualNetwork,
  redirections: readonly RedirectionRecord[],
): Partial<Record<Measure, number | undefined>> {
  const finished = redirections.map(({ finishedAt }) => finishedAt);
  const [first, second, ...others] = vn.gateways;
  const difference =
    others.length > 0 || second === undefined ? undefined : differenceMs(redirections, first!.name, second.name);
  return {
    d_real_ms: difference?.real,
    redirection_spread_ms: Math.max(...finished) - Math.min(...finished),
    max_lag_ms: Math.max(...redirections.map(({ lagMs }) => lagMs)),
    max_execution_ms: Math.max(...redirections.map(({ executionMs }) => executionMs)),
    max_clock_bound_ms: Math.max(...redirections.map(({ clockBoundMs }) => clockBoundMs)),
  };
}

/**
 * From the redirection of one gateway to that of another; undefined if one has not redirected once, as with granularity
 * `peer`.
 */
function differenceMs(
  redirections: readonly RedirectionRecord[],
  from: string,
  to: string,
): { planned: number; real: number } | undefined {
  const of = (name: string) => redirections.filter(({ gateway }) => gateway === name);
  const [source, destination] = [of(from), of(to)];
  if (source.length !== 1 || destination.length !== 1) return undefined;
  return {
    planned: destination[0]!.plannedAt - source[0]!.plannedAt,
    real: destination[0]!.finishedAt - source[0]!.finishedAt,
  };
}

export const flowColumns = [
  'run',
  'from',
  'to',
  'from_gateway',
  'to_gateway',
  'rate_bps',
  'payload_bytes',
  'sent_packets',
  'received_packets',
  'lost_packets',
  'lost_percent',
  'lost_ms',
  'predicted_lost_packets',
  'predicted_lost_ms',
  'reordered_packets',
  'duplicated_packets',
  'receiver_dropped_packets',
  'longest_gap_ms',
  'min_latency_ms',
  'max_latency_ms',
  'old_latency_ms',
  'new_latency_ms',
  'd_planned_ms',
  'd_real_ms',
] as const;

/** `flows.csv`: a row per flow of the VN. `mtu`: of the VN, for the payload of flows that have none. */
export function flowTable(
  run: number,
  vn: VirtualNetwork,
  mtu: number,
  result: RunResult,
  counts: readonly FlowCounts[],
): Table {
  const rows = vn.flows.map((flow): Partial<Record<(typeof flowColumns)[number], string | number | null>> => {
    const own = <T extends { from: string; to: string }>(all: readonly T[] = []) =>
      all.find(({ from, to }) => from === flow.from && to === flow.to);
    const [count, planned] = [own(counts), own(result.planned)];
    const gateway = (endHost: string) => gatewayOf(vn, vn.endHosts.find(({ name }) => name === endHost)!.gateway).name;
    const [source, destination] = [gateway(flow.from), gateway(flow.to)];
    const payload = payloadBytes(flow, mtu);
    const packetsPerMs = flow.rateBps / (8 * payload * 1000);
    const difference = source === destination ? undefined : differenceMs(result.redirections, source, destination);
    return {
      run,
      from: flow.from,
      to: flow.to,
      from_gateway: source,
      to_gateway: destination,
      rate_bps: flow.rateBps,
      payload_bytes: payload,
      ...(count === undefined
        ? {}
        : {
            sent_packets: count.sent,
            received_packets: count.received,
            lost_packets: count.lost,
            lost_percent: percentOf(count.lost, count.sent) ?? null,
            lost_ms: count.lost / packetsPerMs,
            reordered_packets: count.reordered,
            duplicated_packets: count.duplicated,
            receiver_dropped_packets: count.receiverDropped,
            longest_gap_ms: count.maxGapMs,
            min_latency_ms: count.minLatencyMs,
            max_latency_ms: count.maxLatencyMs,
          }),
      ...(planned === undefined
        ? {}
        : {
            predicted_lost_packets: planned.predictedLost,
            predicted_lost_ms: planned.predictedLossMs,
            old_latency_ms: planned.oldLatencyMs,
            new_latency_ms: planned.newLatencyMs,
          }),
      d_planned_ms: difference?.planned ?? null,
      d_real_ms: difference?.real ?? null,
    };
  });
  return { columns: flowColumns, rows: rows.map(roundedRow) };
}

export const redirectionColumns = [
  'run',
  'gateway',
  'planned_unix_ms',
  'started_unix_ms',
  'finished_unix_ms',
  'lag_ms',
  'execution_ms',
  'clock_bound_ms',
] as const;

/** `redirections.csv`: a row per redirection. */
export function redirectionTable(run: number, { redirections }: RunResult): Table {
  const rows = redirections.map((one) => ({
    run,
    gateway: one.gateway,
    planned_unix_ms: one.plannedAt,
    started_unix_ms: one.startedAt,
    finished_unix_ms: one.finishedAt,
    lag_ms: one.lagMs,
    execution_ms: one.executionMs,
    clock_bound_ms: one.clockBoundMs,
  }));
  return { columns: redirectionColumns, rows: rows.map(roundedRow) };
}

function percentOf(part: number, whole: number): number | undefined {
  return whole === 0 ? undefined : (100 * part) / whole;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Six decimals: a nanosecond of what is in ms. */
function round(value: number): number {
  return Number(value.toFixed(6));
}

/** Leaves out what does not exist. */
function rounded(values: Readonly<Record<string, number | undefined>>): Values {
  const known = Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return Object.fromEntries(known.map(([name, value]) => [name, round(value)]));
}

function roundedRow(row: Readonly<Record<string, string | number | null | undefined>>): Row {
  const cells = Object.entries(row).map(([name, value]) => [
    name,
    typeof value === 'number' ? round(value) : (value ?? null),
  ]);
  return Object.fromEntries(cells);
}
