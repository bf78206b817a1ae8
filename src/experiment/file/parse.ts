/** Reads an experiment file, or reports all its faults with their positions, and those of its slice file. */
import { dirname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { VnmError } from '../../model/errors.ts';
import type { Slice } from '../../model/slice.ts';
import {
  atValue,
  buildLatency,
  checkSlice,
  type Fault,
  formatFault,
  type ImageFile,
  type Problem,
  quote,
  readBySchema,
  readConfigFile,
  readImageFile,
  readText,
  sortFaults,
} from '../../slicefile/index.ts';
import {
  checkAlone,
  checkCombinations,
  checkFigures,
  checkGateways,
  checkLatencies,
  checkWithVn,
  findVn,
} from './check.ts';
import { combinationsOf } from './combinations.ts';
import type { Experiment, Sources, StopRule, Traffic } from './experiment.ts';
import { experimentFileSchema, type RawExperiment } from './schema.ts';

export type CheckedExperiment =
  | { readonly experiment: Experiment; readonly sources: Sources }
  | { readonly faults: Fault[] };

/** The files around an experiment file. Each function throws an error whose message is the reason. */
export interface Surroundings {
  /** `name`: as the experiment file has it. Returns the text and the path for messages. */
  readonly slice: (name: string) => { readonly text: string; readonly file: string };
  /** `name`: as the slice file has it. */
  readonly config: (sliceFile: string, name: string) => string;
  /** As `config`: what identifies an image. */
  readonly image: (sliceFile: string, name: string) => ImageFile;
}

const usual = { from: 'initial', to: 'final', seed: 1, trafficSeconds: 10, atLeast: 10 } as const;

/** Reads a file of the file system. Throws VnmError `invalid-input`. */
export function readExperimentText(path: string): string {
  return readText(path, 'experiment file');
}

/** Whether a file is meant to be an experiment file, even if it has faults. */
export function isExperiment(text: string, file: string): boolean {
  const value = readBySchema(text, file, experimentFileSchema).read?.value;
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'experiment');
}

/** The files next to an experiment file. */
function nextTo(file: string): Surroundings {
  return {
    slice: (name) => {
      const path = resolve(dirname(file), name);
      return { text: readText(path, 'slice file'), file: path };
    },
    config: readConfigFile,
    image: readImageFile,
  };
}

/** Checks an experiment and its slice. `file` only appears in faults. */
export function checkExperiment(text: string, file: string, around: Surroundings = nextTo(file)): CheckedExperiment {
  const { faults, read } = readBySchema(text, file, experimentFileSchema);
  if (read === undefined) return { faults: sortFaults(faults) };
  const { data: raw, located } = read;
  const alone = raw === undefined ? read.problems : checkAlone(raw);
  const all = [...faults, ...alone.map(located)];
  if (raw === undefined || all.length > 0) return { faults: sortFaults(all) };

  const named: NamedFiles = { configs: {}, images: {} };
  const found = readSliceOf(raw, around, named);
  if ('problem' in found) return { faults: [located(found.problem)] };
  if ('faults' in found) return found;
  const { slice, text: sliceText } = found;
  const vn = findVn(slice, raw.vn);
  if ('message' in vn) return { faults: [located(vn)] };
  const ends = { from: raw.from ?? usual.from, to: raw.to ?? usual.to };
  const latencies = latenciesOf(raw);
  const combinations = combinationsOf(raw);
  const vnNames = new Set([vn.name, ...combinations.map(({ parameters }) => parameters.vn)]);
  const used = slice.vns.filter((one) => vnNames.has(one.name));
  const perVn = used.flatMap((one) => [...checkWithVn(raw, one, ends), ...checkGateways(raw, one)]);
  // VNs with the same names have the same faults.
  const isFirst = (problem: Problem, index: number) =>
    perVn.findIndex((one) => isDeepStrictEqual(one, problem)) === index;
  const withVn = [...perVn.filter(isFirst), ...checkLatencies(raw, slice)];
  if (withVn.length > 0) return { faults: sortFaults(withVn.map(located)) };
  const { experiment: name, description, repetitions, testbed = 'auto', seed = usual.seed, stop, figures = [] } = raw;
  const impossible = [
    ...checkCombinations(raw, { slice, vn: vn.name, latencies, combinations }),
    ...checkFigures(figures, combinations),
  ];
  if (impossible.length > 0) return { faults: sortFaults(impossible.map(located)) };
  return {
    experiment: {
      name,
      ...(description === undefined ? {} : { description }),
      slice,
      vn: vn.name,
      testbed,
      ...ends,
      latencies,
      repetitions,
      seed,
      traffic: trafficOf(raw),
      combinations,
      ...(stop === undefined ? {} : { stop: stopOf(stop) }),
      figures,
    },
    sources: { file, text, sliceFile: raw.slice, sliceText, ...named },
  };
}

/** Throws VnmError `invalid-input` whose message has a line per fault. */
export function parseExperiment(
  text: string,
  file: string,
  around?: Surroundings,
): { readonly experiment: Experiment; readonly sources: Sources } {
  const checked = checkExperiment(text, file, around);
  if (!('faults' in checked)) return checked;
  throw new VnmError('invalid-input', checked.faults.map(formatFault).join('\n'));
}

/** The files that a slice file names. */
interface NamedFiles {
  readonly configs: Record<string, string>;
  readonly images: Record<string, ImageFile>;
}

/** Reads the slice file; `named` gets the files that it names. */
function readSliceOf(
  raw: RawExperiment,
  around: Surroundings,
  { configs, images }: NamedFiles,
): { slice: Slice; text: string } | { faults: Fault[] } | { problem: Problem } {
  let found: ReturnType<Surroundings['slice']>;
  try {
    found = around.slice(raw.slice);
  } catch (error) {
    if (!(error instanceof VnmError)) throw error;
    const hint = 'give the path of a slice file, relative to this file';
    return { problem: atValue(['slice'], `cannot use ${quote(raw.slice)}: ${error.message}`, hint) };
  }
  const checked = checkSlice(
    found.text,
    found.file,
    (name) => {
      configs[name] = around.config(found.file, name);
      return configs[name];
    },
    (name) => {
      images[name] = around.image(found.file, name);
      return images[name];
    },
  );
  return 'faults' in checked ? checked : { slice: checked.slice, text: found.text };
}

function latenciesOf({ latencies = {} }: RawExperiment): Experiment['latencies'] {
  return new Map(Object.entries(latencies).map(([name, raw]) => [name, buildLatency(raw)]));
}

function trafficOf({ traffic = 'built-in', trafficSeconds = usual.trafficSeconds }: RawExperiment): Traffic {
  return traffic === 'iperf3' ? { by: traffic, seconds: trafficSeconds } : { by: traffic };
}

function stopOf({ value, narrowerThan, atLeast = usual.atLeast }: NonNullable<RawExperiment['stop']>): StopRule {
  return { value, narrowerThan, atLeast };
}
