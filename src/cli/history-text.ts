/** Formats the history of slices, and one migration in full, for people. */

import type { HistoryEntry } from '../controller/history.ts';
import type { MigrationDetailView } from '../controller/views/migration.ts';
import { oneLine } from '../slicefile/words.ts';
import type { MigrationDetail } from '../store/migrations.ts';
import { migrationWords } from './migration-options.ts';
import { migrationParts } from './migration-text.ts';
import { ms, noName, quotedName, table } from './output.ts';
import { outcome } from './style.ts';

export function historyTable(entries: readonly HistoryEntry[]): string {
  const rows = entries.map((entry) => [
    entry.id ?? '-',
    secondsOf(entry.at),
    entry.slice,
    entry.what === 'migrate'
      ? `migrate VN '${entry.vn}': ${entry.from ?? noName} -> ${entry.to ?? noName}`
      : oneLine(whatText(entry)),
    entry.outcome === null ? '' : outcome(outcomeText(entry)),
    entry.durationMs === null ? '' : ms(entry.durationMs / 1000, 1),
    entry.lost === null ? '' : `${entry.lost}/${entry.sent}`,
  ]);
  const heading = ['id', 'when', 'slice', 'what', 'outcome', 'took s', 'lost'];
  const hint = entries.some(({ id }) => id !== null) ? ['', "run 'pl-vnm show ID' to see one migration in full"] : [];
  return [table(heading, rows), ...hint].join('\n');
}

function whatText({ what, message }: HistoryEntry): string {
  return message === null || message === '' ? what : `${what}: ${message}`;
}

/** The outcome, with the phase when the migration failed or has not ended. */
function outcomeText({ outcome: ended, state }: HistoryEntry): string {
  return ended === 'completed' || ended === 'rolled-back' ? ended : `${ended} (${state})`;
}

export function migrationDetailText(detail: MigrationDetail, view: MigrationDetailView): string {
  const { id, slice, vn, from, to, startedAt, finishedAt, options, urpf } = view;
  const ended = view.outcome ?? (view.interrupted ? 'interrupted' : 'running');
  const lines = [
    `migration ${id}: VN '${vn}' of slice '${slice}' from ${quotedName(from)} to ${quotedName(to)}: ${outcome(ended)}`,
    `  started   ${startedAt}`,
    finishedAt === null
      ? `  phase     ${view.state}`
      : `  finished  ${finishedAt}, after ${ms(view.durationMs / 1000, 2)} s`,
    `  options   ${migrationWords({ ...options, urpf })}`,
    ...(view.error === null ? [] : [`  error     ${oneLine(view.error)}`]),
  ];
  const phases = view.phases.map(({ name, ms: took }) => ({ name, ms: took ?? Number.NaN }));
  const { moves, fromRecord } = view;
  const { redirections, flips, flows } = detail;
  return [lines.join('\n'), ...migrationParts({ moves, fromRecord, phases, redirections, flips, flows })].join('\n\n');
}

/** Drops the milliseconds, which tables have no room for. */
function secondsOf(instant: string): string {
  return `${instant.slice(0, 19)}Z`;
}
