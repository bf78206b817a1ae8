/** Made-up results of the shape that experiments have; the same every time. */
import type { ResultTables } from '../../src/experiment/figures/rows.ts';
import type { Row, Table } from '../../src/experiment/table.ts';
import { strictLossMs } from '../../src/planning/loss/strict.ts';
import { type Random, randomOf } from '../chaos/random.ts';

const rateBps = 1_500_000;
const payloadBytes = 1470;
const packetsPerMs = rateBps / (8 * payloadBytes) / 1000;
const sentPackets = Math.round(10_000 * packetsPerMs);

function tableOf(rows: readonly Row[]): Table {
  return { columns: [...new Set(rows.flatMap((row) => Object.keys(row)))], rows };
}

function gauss(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}

/** Loss against D, two nodes, 240 and 160 ms, forth and back; two runs failed. */
export function twoNodes(): ResultTables {
  const random = randomOf(7, 1);
  const samples: Row[] = [];
  const flows: Row[] = [];
  for (const direction of ['forth', 'back']) {
    const [oldMs, newMs] = direction === 'forth' ? [240, 160] : [160, 240];
    for (let dMs = -400; dMs <= 600; dMs += 20) {
      const run = samples.length + 1;
      const isFailed = dMs === 0;
      const planned = { run, combination: run, repetition: 1, direction, urpf: 'strict', d_ms: dMs };
      samples.push({
        ...planned,
        outcome: isFailed ? 'rolled-back' : 'completed',
        error: isFailed ? "node 'p1': connection closed <by peer>" : null,
      });
      if (isFailed) continue;
      const real = dMs + gauss(random);
      const lost = Math.max(
        0,
        Math.round(packetsPerMs * strictLossMs({ oldMs, newMs, differenceMs: real }) + 0.6 * gauss(random)),
      );
      flows.push({
        run,
        from: 'e1',
        to: 'e2',
        from_gateway: 'g1',
        to_gateway: 'g2',
        rate_bps: rateBps,
        payload_bytes: payloadBytes,
        sent_packets: sentPackets,
        lost_packets: lost,
        lost_percent: (100 * lost) / sentPackets,
        lost_ms: lost / packetsPerMs,
        old_latency_ms: oldMs + 0.2 * gauss(random),
        new_latency_ms: newMs + 0.2 * gauss(random),
        d_planned_ms: dMs,
        d_real_ms: real,
      });
    }
  }
  return {
    samples: tableOf(samples),
    flows: tableOf(flows),
    redirections: tableOf([{ run: 1, gateway: 'g1', lag_ms: 0 }]),
    phases: tableOf([{ run: 1 }]),
  };
}

const spreads: Record<string, number> = { remote: 4000, at: 900, gateway: 0.4 };

/** Three nodes, six flows, three ways to command redirections; one redirection per gateway and run. */
export function threeNodes(): ResultTables {
  const random = randomOf(9, 1);
  const samples: Row[] = [];
  const flows: Row[] = [];
  const redirections: Row[] = [];
  for (const control of Object.keys(spreads)) {
    for (let repetition = 1; repetition <= 30; repetition += 1) {
      const run = samples.length + 1;
      const parameters = {
        combination: 1 + Object.keys(spreads).indexOf(control),
        repetition,
        control,
        urpf: 'strict',
      };
      const at = new Map(['a', 'b', 'c'].map((gateway) => [gateway, Math.abs(spreads[control]! * gauss(random))]));
      const lags = [...at.values()];
      samples.push({
        run,
        ...parameters,
        outcome: 'completed',
        error: null,
        duration_ms: 3000 + 200 * gauss(random) + Math.max(...lags),
        redirection_spread_ms: Math.max(...lags) - Math.min(...lags),
      });
      for (const [gateway, lag] of at) {
        redirections.push({
          run,
          gateway: `g${gateway}`,
          lag_ms: lag,
          execution_ms: 5 + (gateway === 'c' ? 60 : 700) * (control === 'gateway' ? 0.001 : random.next()),
        });
      }
      for (const [from, to] of ['ab', 'ba', 'bc', 'cb', 'ac', 'ca'] as unknown as [string, string][]) {
        const real = at.get(to)! - at.get(from)!;
        const lostMs = Math.min(60_000, strictLossMs({ oldMs: 45, newMs: 50, differenceMs: real }));
        const lost = Math.round(packetsPerMs * lostMs + 0.5 * Math.abs(gauss(random)));
        flows.push({
          run,
          from: `e${from}`,
          to: `e${to}`,
          from_gateway: `g${from}`,
          to_gateway: `g${to}`,
          rate_bps: rateBps,
          payload_bytes: payloadBytes,
          sent_packets: 6 * sentPackets,
          lost_packets: lost,
          lost_percent: (100 * lost) / (6 * sentPackets),
          lost_ms: lost / packetsPerMs,
          old_latency_ms: 45,
          new_latency_ms: 50,
          d_planned_ms: 0,
          d_real_ms: real,
        });
      }
    }
  }
  const tables = { samples: tableOf(samples), flows: tableOf(flows), redirections: tableOf(redirections) };
  return { ...tables, phases: tableOf([{ run: 1 }]) };
}

/** Downtime and migration time against packet rate, for two methods. */
export function rates(): ResultTables {
  const random = randomOf(5, 1);
  const samples: Row[] = [];
  for (const method of ['pl-vnm', 'vroom']) {
    for (const rate of [100, 500, 1000, 2000, 5000, 10_000, 20_000]) {
      for (let repetition = 1; repetition <= 10; repetition += 1) {
        samples.push({
          run: samples.length + 1,
          combination: 1,
          repetition,
          method,
          packet_rate_pps: rate,
          outcome: 'completed',
          error: null,
          duration_ms: (method === 'vroom' ? 2600 : 1450) + rate / 100 + 90 * gauss(random),
          longest_gap_ms: (1000 / rate) * (1.2 + 0.3 * Math.abs(gauss(random))) + (method === 'vroom' ? 3 : 1),
          lost_packets: 0,
        });
      }
    }
  }
  const empty = tableOf([{ run: 1 }]);
  return { samples: tableOf(samples), flows: empty, redirections: empty, phases: empty };
}
