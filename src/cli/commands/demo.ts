import { type Command, Option } from 'commander';
import type { MigrateResult } from '../../controller/migrate.ts';
import { migrateResultView } from '../../controller/views/migration.ts';
import { type DemoResult, demo } from '../../experiment/demo.ts';
import type { Dataplane } from '../../model/dataplane.ts';
import { VnmError } from '../../model/errors.ts';
import { exitCodes } from '../../model/exit-codes.ts';
import { migrationText } from '../migration-text.ts';
import { ms, table } from '../output.ts';
import { reportsOf, runPlain } from '../run.ts';

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'run everything in one go: local testbed, three-node VN, traffic, migration there and back, report, clean-up',
    )
    .addOption(
      new Option('--dataplane <kind>', 'the data plane of the nodes')
        .choices(['auto', 'kernel', 'userspace'])
        .default('auto'),
    )
    .action((options: { dataplane: 'auto' | Dataplane }, command: Command) =>
      runPlain(command, async (signal) => {
        const startedAt = performance.now();
        const result = await demo(reportsOf(command).report, signal, options.dataplane);
        const ok = result.verified.ok && migrationsOf(result).every((migration) => migration.outcome === 'completed');
        if (signal.aborted)
          throw new VnmError('interrupted', 'the demo was interrupted; everything that it created was removed');
        return {
          text: report(result, performance.now() - startedAt),
          json: jsonOf(result),
          exitCode: ok ? exitCodes.done : exitCodes.failed,
        };
      }),
    );
}

function jsonOf(result: DemoResult) {
  const ways = result.ways.map(({ way, migrations }) => ({ way, migrations: migrations.map(migrateResultView) }));
  return { ...result, ways };
}

function migrationsOf({ ways }: DemoResult): MigrateResult[] {
  return ways.flatMap(({ migrations }) => migrations);
}

function report(result: DemoResult, durationMs: number): string {
  const failed = migrationsOf(result).filter((migration) => migration.outcome !== 'completed');
  const last = result.ways.at(-1)!.migrations[0]!;
  const parts = [
    'The three-node VN was installed on p1, p2 and p3, and six flows of 1.5 Mb/s ran between its end hosts. Then it\n' +
      "moved to p4, p5 and p6 and back, twice: first the paper's way (the controller commands each gateway over SSH;\n" +
      'strict uRPF), then ours (each redirection is armed at its gateway beforehand; feasible uRPF).',
    ...failed.map(migrationText),
    `One of the four migrations, the first of ours:\n\n${migrationText(last)}`,
    `Both ways compared:\n\n${comparison(result)}\n\n${lostByFlow(result)}`,
    `Everything was taken down again. The whole demo took ${(durationMs / 1000).toFixed(1)} s.`,
  ];
  return parts.join('\n\n========\n\n');
}

const wayNames = { paper: "the paper's", ours: 'ours' } as const;

function comparison({ ways }: DemoResult): string {
  const rows = ways.flatMap(({ way, migrations }) =>
    migrations.map(({ from, to, redirections, flows }) => {
      const lateMs = redirections.map((redirection) => redirection.lagMs + redirection.executionMs);
      const finishedAt = redirections.map((redirection) => redirection.finishedAt);
      return [
        wayNames[way],
        `${from} -> ${to}`,
        ms(Math.max(...lateMs)),
        ms(Math.max(...finishedAt) - Math.min(...finishedAt)),
        sum(flows, (flow) => flow.sent),
        sum(flows, (flow) => flow.lost),
        ms(sum(flows, (flow) => flow.predictedLost ?? 0)),
        sum(flows, (flow) => flow.reordered),
        ms(Math.max(...flows.map((flow) => flow.maxGapMs)), 0),
      ];
    }),
  );
  const heading = [
    'way',
    'move',
    'late ms',
    'gateway spread ms',
    'sent',
    'lost',
    'predicted',
    'reordered',
    'longest gap ms',
  ];
  return table(heading, rows);
}

function lostByFlow(result: DemoResult): string {
  const migrations = migrationsOf(result);
  const heading = [
    'packets lost',
    ...result.ways.flatMap(({ way, migrations: list }) => list.map(({ to }) => `${wayNames[way]}, to ${to}`)),
  ];
  const rows = migrations[0]!.flows.map(({ from, to }, index) => [
    `${from} -> ${to}`,
    ...migrations.map(({ flows }) => flows[index]?.lost ?? '-'),
  ]);
  return table(heading, rows);
}

function sum(flows: MigrateResult['flows'], value: (flow: MigrateResult['flows'][number]) => number): number {
  return flows.reduce((total, flow) => total + value(flow), 0);
}
