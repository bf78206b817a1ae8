/** Pure: the phases of runs as a table, for figures. */
import { phaseNames } from '../../controller/base/phase.ts';
import type { Table } from '../table.ts';
import { phaseMeasure, type Values } from './measures.ts';

export const phaseColumns = ['run', 'phase', 'phase_ms'] as const;

/** A row per phase of a run, in the order in which migrations have them; what a phase repeats is added. */
export function phaseTable(runs: readonly { readonly run: number; readonly values: Values }[]): Table {
  const rows = runs.flatMap(({ run, values }) =>
    phaseNames.flatMap((phase) => {
      const ms = values[phaseMeasure(phase)];
      return ms === undefined ? [] : [{ run, phase, phase_ms: ms }];
    }),
  );
  return { columns: phaseColumns, rows };
}
