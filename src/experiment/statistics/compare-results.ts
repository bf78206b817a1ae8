import { VnmError } from '../../model/errors.ts';
import type { Cell, Row, Table } from '../table.ts';
import { type Effect, effectOf } from './effect.ts';
import { type Combination, combinationsOf, measuresOf, type SummaryRow, summarizeRuns } from './runs.ts';
import type { Summary } from './summary.ts';

/** What `compareResults` needs of a result folder. */
export interface Results {
  /** How messages name it, like the folder. */
  readonly name: string;
  readonly samples: Table;
  /** The columns of `samples` that are parameters. */
  readonly parameters: readonly string[];
  /** What else must be equal for a comparison to make sense, like the slice and the traffic: name to value. */
  readonly fixed: Row;
}

export interface Comparison {
  readonly a: string;
  readonly b: string;
  /** The parameters that differ between the combinations. */
  readonly varied: readonly string[];
  /** By combination, in the order of `a`, then by measured value. */
  readonly rows: readonly ComparisonRow[];
  /** Measured values that only one of the two has. */
  readonly onlyIn: { readonly a: readonly string[]; readonly b: readonly string[] };
}

export interface ComparisonRow {
  readonly parameters: Row;
  readonly measure: string;
  readonly a: Summary;
  readonly b: Summary;
  /** Null if one of the two has no values. */
  readonly effect: Effect | null;
}

/**
 * Compares the medians of two result folders, per combination and measured value. Combinations are matched by their
 * parameters. Throws VnmError `invalid-input` with all differences if parameters, combinations or `fixed` differ.
 */
export function compareResults(a: Results, b: Results): Comparison {
  const differences = differencesOf(a, b);
  if (differences.length > 0) {
    throw new VnmError(
      'invalid-input',
      `results '${a.name}' and '${b.name}' cannot be compared: ${differences.join('; ')}`,
      {
        hint: 'compare results of the same experiment file, or make the files equal in what is named here',
      },
    );
  }
  const [ofA, ofB] = [summariesOf(a), summariesOf(b)];
  const rows = [...ofA].flatMap(([key, row]) => {
    const other = ofB.get(key);
    if (other === undefined) return [];
    const { parameters, measure, summary } = row;
    return [{ parameters, measure, a: summary, b: other.summary, effect: effectOf(summary, other.summary) }];
  });
  const [measuresA, measuresB] = [a, b].map(({ samples, parameters }) => measuresOf(samples, parameters)) as [
    string[],
    string[],
  ];
  return {
    a: a.name,
    b: b.name,
    varied: variedParameters(combinationsOf(a.samples, a.parameters)),
    rows,
    onlyIn: {
      a: measuresA.filter((measure) => !measuresB.includes(measure)),
      b: measuresB.filter((measure) => !measuresA.includes(measure)),
    },
  };
}

/** The parameters that do not have the same value in all combinations. */
export function variedParameters(combinations: readonly Pick<Combination, 'parameters'>[]): string[] {
  const names = Object.keys(combinations[0]?.parameters ?? {});
  return names.filter((name) => valuesOf(combinations, name).length > 1);
}

/** Writes parameters as `control=gateway, urpf=strict`; those without a value are left out. */
export function parametersText(parameters: Row): string {
  return Object.entries(parameters)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

function summariesOf({ samples, parameters }: Results): Map<string, SummaryRow> {
  return new Map(
    summarizeRuns(samples, parameters).map((row) => [`${keyOf(row.parameters)} ${row.measure}`, row] as const),
  );
}

/** Does not depend on the order of the parameters. */
function keyOf(parameters: Row): string {
  return JSON.stringify(Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function differencesOf(a: Results, b: Results): string[] {
  return [...inFixed(a, b), ...inParameters(a, b)];
}

function inFixed(a: Results, b: Results): string[] {
  const names = [...new Set([...Object.keys(a.fixed), ...Object.keys(b.fixed)])];
  return names
    .filter((name) => (a.fixed[name] ?? null) !== (b.fixed[name] ?? null))
    .map(
      (name) => `'${name}' is ${valueText(a.fixed[name])} in the first and ${valueText(b.fixed[name])} in the second`,
    );
}

function inParameters(a: Results, b: Results): string[] {
  const onlyOf = (one: Results, other: Results, which: string) =>
    one.parameters
      .filter((name) => !other.parameters.includes(name))
      .map((name) => `only the ${which} has the parameter '${name}'`);
  const unshared = [...onlyOf(a, b, 'first'), ...onlyOf(b, a, 'second')];
  if (unshared.length > 0) return unshared;

  const [ofA, ofB] = [a, b].map(({ samples, parameters }) => combinationsOf(samples, parameters)) as [
    Combination[],
    Combination[],
  ];
  const values = a.parameters.flatMap((name) => {
    const [inA, inB] = [valuesOf(ofA, name), valuesOf(ofB, name)];
    if (inA.length === inB.length && inA.every((value) => inB.includes(value))) return [];
    return [
      `'${name}' is ${inA.map(valueText).join(', ')} in the first and ${inB.map(valueText).join(', ')} in the second`,
    ];
  });
  if (values.length > 0) return values;

  const lacking = (one: Combination[], other: Combination[], which: string) => {
    const keys = new Set(other.map(({ parameters }) => keyOf(parameters)));
    return one
      .filter(({ parameters }) => !keys.has(keyOf(parameters)))
      .map(({ parameters }) => `only the ${which} has the combination ${parametersText(parameters)}`);
  };
  return [...lacking(ofA, ofB, 'first'), ...lacking(ofB, ofA, 'second')];
}

function valuesOf(combinations: readonly Pick<Combination, 'parameters'>[], name: string): Cell[] {
  return [...new Set(combinations.map(({ parameters }) => parameters[name] ?? null))];
}

function valueText(value: Cell | undefined): string {
  return value === null || value === undefined ? 'not set' : String(value);
}
