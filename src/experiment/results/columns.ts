/** Pure: the columns of the tables of an experiment. */
import type { Combination } from '../file/experiment.ts';
import { parameterNames, rowOf, valuesOf } from '../parameters/index.ts';
import { textOf, type Value } from '../parameters/parameter.ts';
import { flowColumns, measureNames, redirectionColumns } from '../run/measures.ts';
import { phaseColumns } from '../run/phase-table.ts';
import type { Row } from '../table.ts';

interface Combined {
  readonly combinations: readonly Combination[];
}

/** The columns of the parameters that some combination has. */
export function parameterColumns({ combinations }: Combined): string[] {
  const used = parameterNames.filter((name) => combinations.some(({ parameters }) => parameters[name] !== undefined));
  return used.map((name) => rowOf(name).column);
}

/** The parameters of a combination by column. */
export function parameterRow({ parameters }: Combination): Row {
  const cell = (value: Value) => (typeof value === 'number' ? value : textOf(value));
  return Object.fromEntries(valuesOf(parameters).map(([name, value]) => [rowOf(name).column, cell(value)]));
}

/** The columns of `samples.csv`. `measures`: the measured values that it has. */
export function samplesColumns(experiment: Combined, measures: readonly string[]): string[] {
  const numbers = ['run', 'combination', 'repetition', 'started_at'];
  return [...numbers, ...parameterColumns(experiment), 'outcome', 'error', ...measures];
}

/** The columns that figures of an experiment can name, whether its runs have values there or not. */
export function columnsOf(experiment: Combined) {
  return {
    samples: { columns: samplesColumns(experiment, measureNames) },
    flows: { columns: flowColumns },
    redirections: { columns: redirectionColumns },
    phases: { columns: phaseColumns },
  };
}
