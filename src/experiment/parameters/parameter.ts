/** What an experiment can vary, in general. */
import type * as z from 'zod';
import type { Context } from '../../controller/base/context.ts';
import type { MigrateOptions } from '../../controller/migrate.ts';
import type { LatencyMap, Slice, VirtualNetwork } from '../../model/slice.ts';

/** A map has a number by the name of each gateway. */
export type Value = string | number | boolean | Readonly<Record<string, number>>;

/** The value as tables and messages have it: a map as `g1=1 g2=4`, in the order of the names. */
export function textOf(value: Value): string {
  if (typeof value !== 'object') return String(value);
  const names = Object.keys(value).toSorted();
  return names.map((name) => `${name}=${value[name]}`).join(' ');
}

/** A VN that is installed, before a run. */
export interface InstalledVn {
  /** That of a command, which makes its own connections. */
  readonly context: Context;
  /** With connections that stay open from run to run, for everything around the migration. */
  readonly kept: Context;
  readonly slice: Slice;
  readonly vn: VirtualNetwork;
}

/** What the experiment file defines by name, for parameters whose values are such names. */
export interface Named {
  readonly latencies: ReadonlyMap<string, LatencyMap>;
}

/** Ends what a parameter has set up. */
export type Undo = () => Promise<void>;

/** A parameter, with what its value does to a run. */
export interface Parameter<T extends Value = Value> {
  /** Its values in the file. */
  readonly schema: z.ZodType<T>;
  /** Its column in `samples.csv`, with the unit. */
  readonly column: string;
  /** The value of a run whose combination has none; undefined: the run does without. */
  readonly usual?: T;
  /** The options of the migration. */
  readonly options?: (value: T, vn: VirtualNetwork) => Partial<MigrateOptions>;
  /** The slice as this run has it, with the VN of the experiment in it. */
  readonly slice?: (value: T, slice: Slice, vn: VirtualNetwork, named: Named) => Slice;
  /** Sets something up on the nodes after the VN was installed; what it returns is called after the run. */
  readonly setUp?: (value: T, installed: InstalledVn) => Promise<Undo | undefined>;
  /** Says why this VN cannot have the value; undefined if it can. */
  readonly refuse?: (value: T, slice: Slice, vn: VirtualNetwork, named: Named) => string | undefined;
}

/** Keeps the type of the values within a row of the table. */
export function parameter<T extends Value>(row: Parameter<T>): Parameter<T> {
  return row;
}
