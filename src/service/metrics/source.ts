/** What the metrics tell and the database does not know. */
export interface MetricsSource {
  /** The agents that the service is connected to. */
  agents(): Iterable<{ readonly slice: string; readonly node: string; readonly version: string }>;
  /** Names of the jobs that there are. */
  jobs(): Iterable<string>;
}
