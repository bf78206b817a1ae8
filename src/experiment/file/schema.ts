/** The schema of experiment files. Titles and descriptions are the texts of faults, as in the slice file's schema. */
import * as z from 'zod';
import { VnmError } from '../../model/errors.ts';
import { fileSchema, latencySchema, name, quote, text } from '../../slicefile/index.ts';
import { figureDefinitions } from '../figures/index.ts';
import { type ParameterName, type Parameters, parameterNames, rowOf } from '../parameters/index.ts';
import type { Value } from '../parameters/parameter.ts';

const experimentName = {
  noun: 'name of an experiment',
  pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  rule: '1 to 64 of A-Z, a-z, 0-9, ., _ and -, beginning with a letter or digit; it names the folder of the results',
};

const latenciesName = {
  noun: 'name of latencies',
  pattern: /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/,
  rule: '1 to 32 of A-Z, a-z, 0-9, _ and -, beginning with a letter or digit',
};

const maxListed = 10_000;

/** A list of numbers, or an arithmetic sequence. */
const range = z
  .strictObject({
    from: z.number().describe('the first value'),
    to: z.number().describe('the last value, if a step ends there'),
    step: z.number().positive().describe('from one value to the next, more than 0'),
  })
  .describe('{ from: -60, to: 380, step: 20 }');

export type Range = z.output<typeof range>;

function isNumeric(schema: z.ZodType): boolean {
  if (schema instanceof z.ZodUnion) return (schema.options as z.ZodType[]).some(isNumeric);
  return schema instanceof z.ZodNumber;
}

/** The values of a parameter: a list, or for numbers also a range. */
function valuesSchema(parameter: ParameterName) {
  const { schema } = rowOf(parameter);
  const list = z.array(schema).min(1).max(maxListed).describe(`a list of values: ${schema.description}`);
  return isNumeric(schema) ? z.union([list, range]).describe(`${list.description}; or ${range.description}`) : list;
}

function shapeOf<T extends z.ZodType>(schemaFor: (parameter: ParameterName) => T) {
  return Object.fromEntries(parameterNames.map((one) => [one, schemaFor(one).exactOptional()]));
}

const oneValueEach = z.strictObject(shapeOf((parameter) => rowOf(parameter).schema)) as z.ZodType<Parameters>;

/** What a file may vary. */
export type Varied = { readonly [P in ParameterName]?: readonly Value[] | Range };

const percent = text(
  { title: 'percentage', description: 'more than 0, like 5%', pattern: String.raw`^\d+(\.\d+)?\s?%$` },
  (value) => {
    const fraction = Number(/^(\d+(?:\.\d+)?)\s?%$/.exec(value)?.[1]) / 100;
    if (fraction > 0) return fraction;
    throw new VnmError('invalid-input', `${quote(value)} is not a percentage`, { hint: 'more than 0, like 5%' });
  },
);

const stopSchema = z
  .strictObject({
    value: z.string().min(1).describe('a measured value, as in samples.csv, like lost_packets'),
    narrowerThan: percent.describe('the width of the 95 % interval of its median, in percent of the median, like 5%'),
    atLeast: z
      .int()
      .min(3)
      .max(100_000)
      .describe('completed runs that every combination has, 3 to 100000; 10 if left out')
      .exactOptional(),
  })
  .describe('when a combination has enough runs: { value: lost_packets, narrowerThan: 5% }');

const trafficKinds = ['built-in', 'iperf3', 'none'] as const;

const experimentSchema = z
  .strictObject({
    experiment: name(experimentName).describe(`name of the experiment: ${experimentName.rule}`),
    description: z.string().min(1).describe('what the experiment shows, for the page with the results').exactOptional(),
    slice: z.string().min(1).describe('path of the slice file; relative to this file'),
    vn: z.string().describe('which VN, when the slice has several').exactOptional(),
    testbed: z
      .enum(['auto', 'kernel', 'userspace'])
      .describe('the data plane of nodes without a host: auto, kernel or userspace; auto if left out')
      .exactOptional(),
    from: z.string().describe('the first placement; initial if left out').exactOptional(),
    to: z.string().describe('the second placement; final if left out').exactOptional(),
    latencies: z
      .record(name(latenciesName), latencySchema)
      .describe('latencies by name, for the parameter of that name: { far: { default: 50 } }')
      .exactOptional(),
    repetitions: z.int().min(1).max(100_000).describe('how often each combination is repeated, 1 to 100000'),
    seed: z
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .describe('of the random order, 0 to 4294967295; 1 if left out')
      .exactOptional(),
    traffic: z
      .enum(trafficKinds)
      .describe(
        "who sends the slice's flows: built-in (the agents), iperf3 (where installed) or none; built-in if left out",
      )
      .exactOptional(),
    trafficSeconds: z
      .number()
      .min(1)
      .max(86_400)
      .describe('how long iperf3 sends, 1 to 86400 s; 10 if left out; only with traffic: iperf3')
      .exactOptional(),
    fixed: oneValueEach.describe('parameters that all runs have: { urpf: strict }').exactOptional(),
    vary: (z.strictObject(shapeOf(valuesSchema)) as z.ZodType<Varied>)
      .describe('parameters that differ: every combination of their values is a part: { control: [remote, gateway] }')
      .exactOptional(),
    combinations: z
      .array(oneValueEach)
      .min(1)
      .max(maxListed)
      .describe(
        'explicit combinations, each with all values of vary: [{ control: remote, urpf: strict }, { control: gateway }]',
      )
      .exactOptional(),
    stop: stopSchema.exactOptional(),
    figures: figureDefinitions.exactOptional(),
  })
  .meta({
    title: 'PL-VNM experiment file',
    description: 'an experiment: experiment, slice, repetitions, and what is fixed and what varies',
  });

export type RawExperiment = z.output<typeof experimentSchema>;

export const experimentFileSchema = fileSchema(experimentSchema, 'experiment');

/** The JSON Schema of experiment files, for editors. */
export function experimentJsonSchema(): object {
  return experimentFileSchema.json();
}
