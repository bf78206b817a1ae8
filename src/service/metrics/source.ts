/** The data of the metrics that is not in the database. */
import type { NodeName } from '../../model/names.ts';

export interface MetricsSource {
  /** The agents that the service is connected to. */
  agents(): Iterable<{ readonly slice: string; readonly node: NodeName; readonly version: string }>;
  /** The names of all jobs. */
  jobs(): Iterable<string>;
}
