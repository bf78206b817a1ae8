/** What the metrics tell and the database does not know. */
import type { NodeName } from '../../model/names.ts';

export interface MetricsSource {
  /** The agents that the service is connected to. */
  agents(): Iterable<{ readonly slice: string; readonly node: NodeName; readonly version: string }>;
  /** Names of the jobs that there are. */
  jobs(): Iterable<string>;
}
