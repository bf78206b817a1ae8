/** Pure: the combinations of an experiment file. */
import { usualOptions } from '../../controller/migration/options.ts';
import { type ParameterName, type Parameters, parameterNames, redirectsGateways, rowOf } from '../parameters/index.ts';
import type { Value } from '../parameters/parameter.ts';
import type { Combination } from './experiment.ts';
import type { Range, RawExperiment } from './schema.ts';

/** No experiment needs more, and the tables hold them all. */
export const maxCombinations = 10_000;

/** The values of a list or of a range, whose last step may miss the end by rounding. */
export function valuesIn(values: readonly Value[] | Range): Value[] {
  if (!('step' in values)) return [...values];
  const { from, to, step } = values;
  const count = Math.floor((to - from) / step + 1e-9) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, index) => Number((from + index * step).toPrecision(12)));
}

/** How many combinations there are. */
export function countOf({ combinations = [{}], vary = {} }: Pick<RawExperiment, 'combinations' | 'vary'>): number {
  return Object.values(vary).reduce<number>((product, values) => product * lengthOf(values), combinations.length);
}

function lengthOf(values: readonly Value[] | Range): number {
  if (!('step' in values)) return values.length;
  return Math.max(0, Math.floor((values.to - values.from) / values.step + 1e-9) + 1);
}

/**
 * Each explicit combination, or one without values, with every combination of the values in `vary`; the last parameter
 * varies fastest. All have the fixed values, and the usual ones of other parameters.
 */
export function combinationsOf({ fixed, vary = {}, combinations = [{}] }: RawExperiment): Combination[] {
  const usual = Object.fromEntries(
    parameterNames.flatMap((name) => {
      const { usual: value } = rowOf(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const varied = parameterNames.filter((name) => vary[name] !== undefined);
  const products = varied.reduce<Record<string, Value>[]>(
    (all, name) => all.flatMap((one) => valuesIn(vary[name]!).map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
  const all = combinations.flatMap((one) => products.map((product) => ({ ...usual, ...fixed, ...one, ...product })));
  return all.map((given: Parameters, index) => ({ number: index + 1, parameters: inOrder(withSchedule(given)) }));
}

/** A difference by hand replaces the schedule, and methods that redirect no gateway have none. */
function withSchedule(given: Parameters): Parameters {
  if (given.D !== undefined || given.schedule !== undefined || !redirectsGateways(given)) return given;
  return { ...given, schedule: usualOptions.schedule };
}

function inOrder(given: Parameters): Parameters {
  const entries = parameterNames.flatMap((name: ParameterName) =>
    given[name] === undefined ? [] : [[name, given[name]]],
  );
  return Object.fromEntries(entries);
}
