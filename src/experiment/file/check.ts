/** Everything about an experiment file that its schema cannot check, with the slice file at hand. */
import { methodNamed } from '../../controller/migration/methods/index.ts';
import { VnmError } from '../../model/errors.ts';
import { isSamePlacement, type Slice, type VirtualNetwork } from '../../model/slice.ts';
import { atKey, atValue, hintAmong, list, type Path, type Problem, quote } from '../../slicefile/index.ts';
import { checkColumns, type FigureDefinition } from '../figures/index.ts';
import {
  describeParameters,
  optionsWith,
  type ParameterName,
  type Parameters,
  parameterNames,
  redirectsGateways,
  rowOf,
  sliceWith,
  valuesOf,
  variedIn,
} from '../parameters/index.ts';
import { textOf, type Value } from '../parameters/parameter.ts';
import { columnsOf } from '../results/columns.ts';
import { measureNames } from '../run/measures.ts';
import { countOf, maxCombinations, valuesIn } from './combinations.ts';
import type { Combination, Experiment } from './experiment.ts';
import type { RawExperiment } from './schema.ts';

/** More combinations with a problem than anybody reads. */
const maxShown = 5;

/** Checks what does not need the slice. */
export function checkAlone(raw: RawExperiment): Problem[] {
  return [...checkKeys(raw), ...checkLists(raw), ...checkCount(raw), ...checkTraffic(raw), ...checkStop(raw)];
}

/** A parameter is fixed, or varies, or is in explicit combinations. */
function checkKeys({ fixed = {}, vary = {}, combinations = [] }: RawExperiment): Problem[] {
  return parameterNames.flatMap((name) => [
    ...(name in vary && name in fixed
      ? [atKey(['fixed', name], `${name} is also in vary`, 'keep one of the two')]
      : []),
    ...combinations.flatMap((combination, index) =>
      name in combination && name in vary
        ? [atKey(['combinations', index, name], `${name} is also in vary`, 'keep one of the two')]
        : [],
    ),
  ]);
}

function checkLists({ vary = {}, combinations = [] }: RawExperiment): Problem[] {
  const varied = parameterNames.flatMap((name) => {
    const given = vary[name];
    if (given === undefined) return [];
    if ('step' in given && given.to < given.from)
      return [atValue(['vary', name, 'to'], `${given.to} is less than from`, 'give the first value as from')];
    if (lengthTooLarge(given)) return [];
    const values = valuesIn(given);
    return [...checkRange(name, given, values), ...repeatsIn(values.map(textOf), (index) => ['vary', name, index])];
  });
  const texts = combinations.map((combination) => describeParameters(combination));
  return [...varied, ...repeatsIn(texts, (index) => ['combinations', index], 'combination')];
}

const lengthTooLarge = (given: NonNullable<NonNullable<RawExperiment['vary']>[ParameterName]>) =>
  countOf({ vary: { D: given } }) > maxCombinations;

/** The values of a range must be values of the parameter. */
function checkRange(name: ParameterName, given: object, values: readonly unknown[]): Problem[] {
  const { schema } = rowOf(name);
  if (Array.isArray(given) || values.every((value) => schema.safeParse(value).success)) return [];
  const wrong = values.find((value) => !schema.safeParse(value).success);
  return [atValue(['vary', name], `the range contains ${wrong}`, schema.description)];
}

function repeatsIn(values: readonly string[], pathOf: (index: number) => Path, noun = 'value'): Problem[] {
  return values.flatMap((value, index) =>
    values.indexOf(value) < index
      ? [atValue(pathOf(index), `the same ${noun} twice`, 'raise repetitions to repeat it')]
      : [],
  );
}

function checkCount(raw: RawExperiment): Problem[] {
  const count = countOf(raw);
  if (count <= maxCombinations) return [];
  return [atKey(['vary'], `${count} combinations`, `at most ${maxCombinations}; vary less, or list combinations`)];
}

function checkTraffic({ traffic, trafficSeconds }: RawExperiment): Problem[] {
  if (trafficSeconds === undefined || traffic === 'iperf3') return [];
  const hint = 'remove it, or write traffic: iperf3; the built-in traffic lasts as long as the migration';
  return [atKey(['trafficSeconds'], 'trafficSeconds is for iperf3 only', hint)];
}

function checkStop({ stop }: RawExperiment): Problem[] {
  if (stop === undefined || measureNames.includes(stop.value)) return [];
  return [
    atValue(
      ['stop', 'value'],
      `unknown measured value ${quote(stop.value)}`,
      hintAmong(stop.value, measureNames, 'measured values'),
    ),
  ];
}

/** Returns the VN of an experiment, or why there is none. */
export function findVn({ vns }: Slice, name: string | undefined): VirtualNetwork | Problem {
  const names = vns.map((vn) => vn.name);
  if (name === undefined) {
    return vns.length === 1
      ? vns[0]!
      : atValue(['slice'], `the slice has several VNs`, `add vn: one of ${list(names)}`);
  }
  return (
    vns.find((vn) => vn.name === name) ?? atValue(['vn'], `unknown VN ${quote(name)}`, hintAmong(name, names, 'VNs'))
  );
}

/** Checks what the slice must have for the experiment. */
export function checkWithVn(raw: RawExperiment, vn: VirtualNetwork, ends: { from: string; to: string }): Problem[] {
  const names = [...vn.placements.keys()];
  const unknown = (['from', 'to'] as const).flatMap((key) => {
    if (vn.placements.has(ends[key])) return [];
    const message = `unknown placement ${quote(ends[key])}`;
    const hint = hintAmong(ends[key], names, 'placements');
    return [
      raw[key] === undefined
        ? atKey([], `${message} for ${quote(key)}`, `add ${key}: a placement; ${hint}`)
        : atValue([key], message, hint),
    ];
  });
  if (unknown.length > 0) return unknown;
  const same = isSamePlacement(vn.placements.get(ends.from)!, vn.placements.get(ends.to)!);
  const noFlows = vn.flows.length === 0 && raw.traffic !== 'none';
  return [
    ...(same ? [atValue(raw.to === undefined ? [] : ['to'], 'both placements are the same: nothing would move')] : []),
    ...(noFlows
      ? [atValue(['slice'], `VN ${quote(vn.name)} has no flows`, 'add flows to it, or write traffic: none')]
      : []),
  ];
}

/** Checks that the figures name columns that the tables can have. */
export function checkFigures(figures: readonly FigureDefinition[], combinations: readonly Combination[]): Problem[] {
  const columns = columnsOf({ combinations });
  return figures.flatMap((figure, index) => {
    try {
      checkColumns(columns, figure);
      return [];
    } catch (error) {
      if (!(error instanceof VnmError)) throw error;
      return [atValue(['figures', index], error.message, error.hint)];
    }
  });
}

/** Checks that values by gateway are for gateways of the VN. */
export function checkGateways({ fixed, vary = {}, combinations = [] }: RawExperiment, vn: VirtualNetwork): Problem[] {
  const known = vn.gateways.map((gateway) => gateway.name);
  const inValue = (value: Value, path: Path): Problem[] => {
    const names = typeof value === 'object' ? Object.keys(value) : [];
    return names
      .filter((gateway) => !known.includes(gateway))
      .map((gateway) =>
        atKey([...path, gateway], `unknown gateway ${quote(gateway)}`, hintAmong(gateway, known, 'gateways')),
      );
  };
  const inValues = (given: Parameters, path: Path) =>
    valuesOf(given).flatMap(([name, value]) => inValue(value, [...path, name]));
  return [
    ...inValues(fixed ?? {}, ['fixed']),
    ...Object.entries(vary).flatMap(([name, values]) =>
      'step' in values ? [] : values.flatMap((value, index) => inValue(value, ['vary', name, index])),
    ),
    ...combinations.flatMap((given, index) => inValues(given, ['combinations', index])),
  ];
}

/** Checks that latencies are between nodes of the slice. */
export function checkLatencies({ latencies = {} }: RawExperiment, { nodes }: Slice): Problem[] {
  return Object.entries(latencies).flatMap(([name, { links = [] }]) =>
    links.flatMap(([from, to], index) =>
      [from, to].flatMap((node, end) =>
        nodes.has(node)
          ? []
          : [
              atValue(
                ['latencies', name, 'links', index, end],
                `unknown node ${quote(node)}`,
                hintAmong(node, nodes.keys(), 'nodes'),
              ),
            ],
      ),
    ),
  );
}

/** Checks that every combination can be carried out. */
export function checkCombinations(
  raw: RawExperiment,
  experiment: Pick<Experiment, 'slice' | 'vn' | 'latencies' | 'combinations'>,
): Problem[] {
  const { combinations } = experiment;
  const perExplicit = combinations.length / (raw.combinations?.length ?? 1);
  const varied = variedIn(combinations);
  const messages = new Map<string, Problem>();
  for (const { number, parameters } of combinations) {
    const message = refusal(experiment, parameters);
    if (message === undefined || messages.has(message)) continue;
    const text = `${describe(parameters, varied)} impossible: ${message}`;
    const index = Math.floor((number - 1) / perExplicit);
    messages.set(
      message,
      raw.combinations === undefined ? atKey(placeOf(raw), text) : atValue(['combinations', index], text),
    );
    if (messages.size === maxShown) break;
  }
  return [...messages.values()];
}

function describe(parameters: Parameters, varied: readonly ParameterName[]): string {
  const words = describeParameters(parameters, varied);
  return words === '' ? 'the runs are' : `the combination (${words}) is`;
}

function placeOf({ vary, fixed }: RawExperiment): Path {
  if (vary !== undefined) return ['vary'];
  return fixed === undefined ? [] : ['fixed'];
}

function refusal(
  { slice, vn, latencies }: Pick<Experiment, 'slice' | 'vn' | 'latencies'>,
  given: Parameters,
): string | undefined {
  const names = slice.vns.map(({ name }) => name);
  if (given.vn !== undefined && !names.includes(given.vn))
    return `the slice has no VN ${quote(given.vn)}, only ${list(names)}`;
  if (given.D !== undefined && given.schedule !== undefined) return 'D replaces the schedule; it has no other';
  if (given.D !== undefined && !redirectsGateways(given))
    return `method ${given.method} redirects no gateway, so it has no D`;
  if (given.rate !== undefined && given.packetRate !== undefined) return 'rate and packetRate say the same';
  const changed = sliceWith({ slice, vn, latencies }, given);
  for (const [name, value] of valuesOf(given)) {
    const message = rowOf(name).refuse?.(value, slice, changed.vn, { latencies });
    if (message !== undefined) return message;
  }
  try {
    const options = optionsWith(changed.vn, given);
    methodNamed(options.method).refuse(options);
    return undefined;
  } catch (error) {
    if (!(error instanceof VnmError)) throw error;
    return error.message;
  }
}
