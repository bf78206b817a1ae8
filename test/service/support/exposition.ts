/** Parses the Prometheus text format (version 0.0.4) as a scraper does. */
interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Exposition {
  readonly samples: readonly Sample[];
  /** The types by name of the metric. */
  readonly types: ReadonlyMap<string, string>;
  /** Returns the value of one series; undefined if there is none. */
  value(name: string, labels?: Record<string, string>): number | undefined;
  /** Returns all series of a metric. */
  series(name: string): Sample[];
}

/** Throws for an invalid line and for a duplicate series. */
export function parseExposition(text: string): Exposition {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  for (const line of text.split('\n').slice(0, -1)) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (type !== null) types.set(type[1]!, type[2]!);
    else if (line !== '' && !/^# HELP \S+ .+$/.test(line)) samples.push(parseSample(line));
  }
  const keys = samples.map(({ name, labels }) => key(name, labels));
  const twice = keys.find((one, index) => keys.indexOf(one) !== index);
  if (twice !== undefined) throw new Error(`twice: ${twice}`);
  return {
    samples,
    types,
    value: (name, labels = {}) => samples[keys.indexOf(key(name, labels))]?.value,
    series: (name) => samples.filter((sample) => sample.name === name),
  };
}

function parseSample(line: string): Sample {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null || !/^(\+Inf|-Inf|NaN|-?[0-9.]+(e[+-]?[0-9]+)?)$/i.test(match[3]!))
    throw new Error(`not a sample: ${line}`);
  const value = Number(match[3]!.replace('Inf', 'Infinity'));
  const pairs = match[2] ?? '';
  const labels = [...pairs.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?/g)];
  if (labels.map(([whole]) => whole).join('') !== pairs) throw new Error(`not labels: ${pairs}`);
  return { name: match[1]!, labels: Object.fromEntries(labels.map(([, label, text]) => [label!, text!])), value };
}

function key(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, Object.entries(labels).toSorted()]);
}
