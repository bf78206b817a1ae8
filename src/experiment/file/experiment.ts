/** An experiment as its file says, with all defaults. */
import type { LatencyMap, Slice } from '../../model/slice.ts';
import type { ImageFile } from '../../slicefile/index.ts';
import type { FigureDefinition } from '../figures/index.ts';
import type { Parameters } from '../parameters/index.ts';

export interface Experiment {
  readonly name: string;
  /** What it shows, for people. */
  readonly description?: string;
  readonly slice: Slice;
  /** Name of the VN in the slice. */
  readonly vn: string;
  /** The data plane of nodes without a host. */
  readonly testbed: 'auto' | 'kernel' | 'userspace';
  /** Names of the placements. */
  readonly from: string;
  readonly to: string;
  /** Latencies between nodes that combinations name, instead of the slice's own. */
  readonly latencies: ReadonlyMap<string, LatencyMap>;
  /** How often each combination is repeated. */
  readonly repetitions: number;
  readonly seed: number;
  readonly traffic: Traffic;
  /** In the order of their numbers. */
  readonly combinations: readonly Combination[];
  readonly stop?: StopRule;
  readonly figures: readonly FigureDefinition[];
}

/** Values of parameters that several runs share. */
export interface Combination {
  /** From 1. */
  readonly number: number;
  readonly parameters: Parameters;
}

/** `built-in`: the slice's flows, sent by the agents; `iperf3`: the same flows, for that many seconds. */
export type Traffic = { readonly by: 'built-in' | 'none' } | { readonly by: 'iperf3'; readonly seconds: number };

/** A combination has enough runs once the 95 % interval of a value is narrow. */
export interface StopRule {
  /** A measured value, as in `samples.csv`. */
  readonly value: string;
  /** The width of the interval as a fraction of the median. */
  readonly narrowerThan: number;
  /** No combination has fewer completed runs. */
  readonly atLeast: number;
}

/** The files that an experiment was read from, to read it again. */
export interface Sources {
  /** Path of the experiment file, as given. */
  readonly file: string;
  readonly text: string;
  /** Path of the slice file, as the experiment file has it. */
  readonly sliceFile: string;
  readonly sliceText: string;
  /** The configuration files that the slice file names. */
  readonly configs: Readonly<Record<string, string>>;
  /** The images of virtual machines that the slice file names; they stay where they are. */
  readonly images: Readonly<Record<string, ImageFile>>;
}
