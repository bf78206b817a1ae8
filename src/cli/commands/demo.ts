import type { Command } from 'commander';
import { type DemoResult, demo } from '../../experiment/demo.ts';
import { VnmError } from '../../model/errors.ts';
import { migrationText } from '../migration-text.ts';
import { printProgress, runPlain } from '../run.ts';

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'the main job in one go: local testbed, three-node VN, traffic, migration forth and back, report, clean-up',
    )
    .action((_options, command: Command) =>
      runPlain(command, async (signal) => {
        const startedAt = performance.now();
        const result = await demo(printProgress, signal);
        const ok = result.verified.ok && result.migrations.every((migration) => migration.outcome === 'completed');
        if (signal.aborted) throw new VnmError('interrupted', 'the demo was interrupted; everything it made is gone');
        return { text: report(result, performance.now() - startedAt), json: result, exitCode: ok ? 0 : 1 };
      }),
    );
}

function report({ migrations }: DemoResult, durationMs: number): string {
  const parts = [
    'The three-node VN was installed on p1, p2, p3; six flows of 1.5 Mb/s ran between its end hosts; then it moved.',
    ...migrations.map(migrationText),
    `Everything was taken down again. The whole demo took ${(durationMs / 1000).toFixed(1)} s.`,
  ];
  return parts.join('\n\n========\n\n');
}
