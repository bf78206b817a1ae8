/**
 * A lab of 50 nodes with IPv6 management addresses: doctor and migrations through its bastion, next to direct ones.
 * Each command is a process of its own, as a user runs it.
 */
import { table } from '../../src/cli/output.ts';
import type { DoctorResult } from '../../src/controller/doctor.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import { type BastionLab, bastionLab, type Finished } from '../support/bastion-lab.ts';
import { interruptible, progress, quantile } from './harness.ts';

const nodes = 50;
const ways = ['direct', 'through'] as const;
type Way = (typeof ways)[number];

interface Measured {
  readonly doctorMs: number[];
  readonly migrateMs: number[];
  readonly lagMs: number[];
  failures: number;
  lost: number;
  sent: number;
  /** Connections to the bastion. */
  connections: number;
}

export async function bastionBench(runs = 20): Promise<string> {
  return interruptible(async () => {
    const lab = await bastionLab(nodes);
    try {
      lab.connectDirectly();
      return await measure(lab, runs);
    } finally {
      await lab.remove();
    }
  });
}

async function measure(lab: BastionLab, runs: number): Promise<string> {
  const patience = 60;
  const files: Record<Way, string> = {
    direct: lab.writeSlice('direct', { config: 'none', patience }),
    through: lab.writeSlice('through', { config: lab.config, patience }),
  };
  const of = (): Measured => ({
    doctorMs: [],
    migrateMs: [],
    lagMs: [],
    failures: 0,
    lost: 0,
    sent: 0,
    connections: 0,
  });
  const measured: Record<Way, Measured> = { direct: of(), through: of() };
  const run = async (way: Way, ...words: string[]): Promise<Finished> => {
    const before = lab.connections();
    const finished = await lab.run('bench.db', ...words);
    measured[way].connections += lab.connections() - before;
    return finished;
  };
  // The agents start, and host keys are accepted.
  for (const way of ways) must(await lab.run(`${way}.db`, 'doctor', files[way], '--accept-new-host-keys'));
  // Of two ways, the first one is another in each run.
  const inTurn = (index: number) => (index % 2 === 0 ? ways : ways.toReversed());
  for (let index = 0; index < runs; index += 1) {
    for (const way of inTurn(index)) {
      const { code, stdout, ms } = await lab.run(`${way}.db`, 'doctor', files[way]);
      measured[way].doctorMs.push(ms);
      if (code !== 0) measured[way].failures += failedNodes(stdout);
    }
    progress('doctor', index + 1, runs);
  }
  must(await run('direct', 'install', files.direct));
  measured.direct.connections = 0;
  let at = 'initial';
  for (let index = 0; index < runs; index += 1) {
    for (const way of inTurn(index)) {
      at = at === 'initial' ? 'final' : 'initial';
      const finished = await run(way, 'migrate', files[way], '--to', at, '--urpf', 'feasible', '--traffic');
      must(finished);
      const { flows, redirections } = JSON.parse(finished.stdout) as MigrateResult;
      const sum = measured[way];
      sum.migrateMs.push(finished.ms);
      sum.lagMs.push(...redirections.map(({ lagMs }) => lagMs));
      for (const { lost, sent } of flows) {
        sum.lost += lost;
        sum.sent += sent;
      }
    }
    progress('migrations', index + 1, runs);
  }
  return report(measured, runs);
}

function report({ direct, through }: Record<Way, Measured>, runs: number): string {
  const seconds = (values: readonly number[]) => (quantile(values, 0.5) / 1000).toFixed(2);
  const row = (what: string, get: (one: Measured) => readonly number[]) => {
    const ratio = quantile(get(through), 0.5) / quantile(get(direct), 0.5);
    return [what, seconds(get(direct)), seconds(get(through)), ratio.toFixed(2)];
  };
  const lag = ({ lagMs }: Measured) => [0.5, 0.99, 1].map((q) => quantile(lagMs, q).toFixed(2)).join(' / ');
  const both = (what: string, get: (one: Measured) => string | number) => [what, get(direct), get(through)];
  return [
    `${nodes} nodes, ${runs} runs each way, in turn`,
    table(
      ['command, median s', 'direct', 'through the bastion', 'ratio'],
      [row('doctor', ({ doctorMs }) => doctorMs), row('migrate --traffic', ({ migrateMs }) => migrateMs)],
    ),
    table(
      ['', 'direct', 'through the bastion'],
      [
        both('nodes that doctor found at fault', ({ failures }) => failures),
        both('lost of sent packets in migrations', ({ lost, sent }) => `${lost} of ${sent}`),
        both('redirections late, ms, p50 / p99 / max', lag),
        both('connections to the bastion in migrations', ({ connections }) => connections),
      ],
    ),
  ].join('\n\n');
}

function failedNodes(stdout: string): number {
  const { nodes } = JSON.parse(stdout) as DoctorResult;
  return nodes.filter(({ reachable, problems }) => !reachable || problems.length > 0).length;
}

function must({ code, stderr }: Finished): void {
  if (code !== 0) throw new Error(stderr);
}
