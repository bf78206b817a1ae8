import { describe, expect, it } from 'vitest';
import { phaseNames } from '../../src/controller/base/phase.ts';
import type { MigrateResult } from '../../src/controller/migration/types.ts';
import {
  type FlowCounts,
  flowTable,
  measureNames,
  measuresIn,
  redirectionTable,
  valuesOfRun,
} from '../../src/experiment/run/measures.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const vn = readSlice(gallery('two-node')).vns[0]!;
const counts: FlowCounts = {
  from: 'e1',
  to: 'e2',
  sent: 1000,
  received: 980,
  lost: 15,
  receiverDropped: 5,
  reordered: 1,
  duplicated: 2,
  maxGapMs: 120,
  minLatencyMs: 160,
  maxLatencyMs: 240,
};
const redirection = {
  plannedAt: 1000,
  startedAt: 1000.5,
  finishedAt: 1001,
  lagMs: 0.5,
  executionMs: 0.5,
  clockBoundMs: 0.2,
};
const planned = {
  from: 'e1',
  to: 'e2',
  oldLatencyMs: 240,
  newLatencyMs: 160,
  oldSpreadMs: 0,
  newSpreadMs: 0,
  predictedLossMs: 80,
  predictedLost: 10.2,
  worstLost: 12,
  predictedReordered: 0,
  addedDelayMs: 0,
  windowTooNarrow: false,
};
const result: MigrateResult = {
  id: 1,
  slice: 'two',
  vn: 'two',
  from: 'initial',
  to: 'final',
  control: 'gateway',
  schedule: 'simultaneous',
  granularity: 'gateway',
  urpf: 'strict',
  method: 'instance',
  outcome: 'completed',
  durationMs: 4000.1234567,
  phases: [
    { name: 'add nodes', ms: 1000 },
    { name: 'set up', ms: 500 },
    { name: 'set up', ms: 250 },
  ],
  moves: [],
  fromRecord: [],
  redirections: [
    { gateway: 'g1', ...redirection },
    { gateway: 'g2', ...redirection, plannedAt: 1200, finishedAt: 1203, lagMs: 2 },
  ],
  flows: [],
  planned: [planned],
  interrupted: false,
  unreachable: [],
};

describe('valuesOfRun', () => {
  it('has totals of the flows, and the extremes of the gateways', () => {
    expect(valuesOfRun(vn, result, [counts])).toEqual({
      duration_ms: 4000.123457,
      phase_add_nodes_ms: 1000,
      phase_set_up_ms: 750,
      sent_packets: 1000,
      received_packets: 980,
      lost_packets: 15,
      lost_percent: 1.5,
      predicted_lost_packets: 10.2,
      reordered_packets: 1,
      duplicated_packets: 2,
      receiver_dropped_packets: 5,
      longest_gap_ms: 120,
      min_latency_ms: 160,
      max_latency_ms: 240,
      d_real_ms: 202,
      redirection_spread_ms: 202,
      max_lag_ms: 2,
      max_execution_ms: 0.5,
      max_clock_bound_ms: 0.2,
    });
  });

  it('leaves out what was not counted, and everything about traffic that was not sent', () => {
    const uncounted = { ...counts, maxGapMs: null, duplicated: null };
    const values = valuesOfRun(vn, result, [uncounted]);
    expect(values).not.toHaveProperty('longest_gap_ms');
    expect(values).not.toHaveProperty('duplicated_packets');
    expect(values).toHaveProperty('lost_packets');
    expect(Object.keys(valuesOfRun(vn, result, [])).filter((name) => name.includes('packets'))).toEqual([]);
  });

  it('has no time between two gateways where one redirects several times, or there are three', () => {
    const peers = { ...result, redirections: [...result.redirections, { ...redirection, gateway: 'g1' }] };
    expect(valuesOfRun(vn, peers, [counts])).not.toHaveProperty('d_real_ms');
    const three = readSlice(gallery('three-node')).vns[0]!;
    expect(valuesOfRun(three, result, [counts])).not.toHaveProperty('d_real_ms');
  });

  it('has what method vroom measures', () => {
    const flips = [
      { router: 'a', to: 'n3', neighbour: 'b', startedAt: 10, finishedAt: 12 },
      { router: 'b', to: 'n4', neighbour: 'a', startedAt: 500, finishedAt: 503.5 },
    ];
    const move = { router: 'a', from: 'n1', to: 'n3', way: 'graceful', cold: false } as const;
    const controlPlanes = [
      { ...move, freezeMs: 100, convergeMs: 50 },
      { ...move, freezeMs: 80, convergeMs: 70 },
    ];
    const neighbourEvents = [
      { router: 'a', neighbour: 'b', events: 5 },
      { router: 'b', neighbour: 'a', events: 2 },
    ];
    const { planned: _, ...rest } = result;
    const vroom: MigrateResult = { ...rest, method: 'vroom', redirections: [], flips, controlPlanes, neighbourEvents };
    expect(valuesOfRun(vn, vroom, [])).toMatchObject({
      flip_span_ms: 493.5,
      freeze_ms: 100,
      converge_ms: 70,
      neighbour_events: 7,
    });
  });

  it('has the longest change of flows of method flow', () => {
    const flowChanges = [
      { router: 'a', entriesMs: 1, flipMs: 2, totalMs: 3 },
      { router: 'b', entriesMs: 1, flipMs: 0.5, totalMs: 1.5 },
    ];
    expect(valuesOfRun(vn, { ...result, flowChanges }, [])).toMatchObject({ flow_change_ms: 3 });
  });

  it('has only values that have a column', () => {
    const names = Object.keys(valuesOfRun(vn, result, [counts]));
    expect(names.filter((name) => !measureNames.includes(name))).toEqual([]);
    expect(measureNames).toContain('phase_move_control_plane_ms');
    expect(measureNames.filter((name) => name.startsWith('phase_'))).toHaveLength(phaseNames.length);
  });
});

it('measuresIn has the phases after the duration, whatever the first run has', () => {
  const values = valuesOfRun(vn, result, [counts]);
  const names = measuresIn([{ lost_packets: 1 }, values]);
  expect(names.slice(0, 4)).toEqual(['duration_ms', 'phase_add_nodes_ms', 'phase_set_up_ms', 'sent_packets']);
  expect(new Set(names)).toEqual(new Set(Object.keys(values)));
});

it('flowTable has the latencies and instants of the model for each flow', () => {
  const { columns, rows } = flowTable(7, vn, 1500, result, [counts]);
  expect(rows).toEqual([
    {
      run: 7,
      from: 'e1',
      to: 'e2',
      from_gateway: 'g1',
      to_gateway: 'g2',
      rate_bps: 1_500_000,
      payload_bytes: 1470,
      sent_packets: 1000,
      received_packets: 980,
      lost_packets: 15,
      lost_percent: 1.5,
      // 127.55 packets per second.
      lost_ms: 117.6,
      predicted_lost_packets: 10.2,
      predicted_lost_ms: 80,
      reordered_packets: 1,
      duplicated_packets: 2,
      receiver_dropped_packets: 5,
      longest_gap_ms: 120,
      min_latency_ms: 160,
      max_latency_ms: 240,
      old_latency_ms: 240,
      new_latency_ms: 160,
      d_planned_ms: 200,
      d_real_ms: 202,
    },
  ]);
  expect(Object.keys(rows[0]!).every((name) => columns.includes(name))).toBe(true);
});

it('flowTable has the flows also when nothing was counted', () => {
  const { planned: _, ...rest } = result;
  const { rows } = flowTable(7, vn, 1500, { ...rest, redirections: [] }, []);
  expect(rows).toEqual([
    expect.objectContaining({ run: 7, from: 'e1', to: 'e2', d_planned_ms: null, d_real_ms: null }),
  ]);
});

it('redirectionTable has a row per redirection', () => {
  const { rows } = redirectionTable(7, result);
  expect(rows[1]).toEqual({
    run: 7,
    gateway: 'g2',
    planned_unix_ms: 1200,
    started_unix_ms: 1000.5,
    finished_unix_ms: 1203,
    lag_ms: 2,
    execution_ms: 0.5,
    clock_bound_ms: 0.2,
  });
});
