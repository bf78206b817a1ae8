/**
 * Everything that an experiment can fix or vary, in the order of the columns. A new parameter is a row here; file,
 * schedule, tables and reference follow from it.
 */

import * as z from 'zod';
import { movesRouters } from '../../controller/base/phase.ts';
import { optionKinds, usualOptions } from '../../controller/migration/options.ts';
import type { MoveOptions } from '../../controller/migration/types.ts';
import { memoryRange } from '../../model/machine.ts';
import { isImageRouter, type Router } from '../../model/router.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import { payloadSchema, rateSchema } from '../../slicefile/index.ts';
import { controlMode, controlNames } from './control.ts';
import { gatewayConditions } from './gateway-conditions.ts';
import { type Named, type Parameter, parameter, textOf, type Value } from './parameter.ts';
import { addPrefixes, refusePrefixes } from './prefixes.ts';

const maxDifferenceMs = 60_000;
const maxPacketsPerSecond = 1_000_000;

/** What a run does instead of a migration that nothing else of the program has: the VN stays where it is. */
const noMethod = 'none';

const parameters = {
  vn: parameter({
    schema: z
      .string()
      .min(1)
      .describe('the name of a VN of the slice, instead of the one of the file: for VNs that differ in their routers'),
    column: 'vn',
  }),
  method: parameter({
    schema: z
      .enum([...optionKinds.method.options, noMethod])
      .describe(
        `${optionKinds.method.description}; none: the VN stays and its flows are sent for 5 s, to see what is lost without a migration`,
      ),
    column: 'method',
    usual: 'instance',
    options: (method) => (method === noMethod ? {} : { method }),
  }),
  control: parameter({
    schema: z.enum(controlNames).describe(`who times the redirections: ${controlNames.join(', ')}`),
    column: 'control',
    usual: 'gateway',
    options: (name) => controlMode(name).options,
    setUp: async (name, installed) => controlMode(name).setUp?.(installed),
  }),
  controlPlane: parameter({
    schema: optionKinds.controlPlane,
    column: 'control_plane',
    options: (controlPlane) => ({ controlPlane }),
  }),
  holdControl: parameter({
    schema: optionKinds.holdControl,
    column: 'hold_control',
    options: (holdControl) => ({ holdControl }),
  }),
  parallel: parameter({
    schema: optionKinds.parallel,
    column: 'parallel',
    options: (parallel) => ({ parallel }),
  }),
  suspend: parameter({
    schema: optionKinds.suspend,
    column: 'suspend',
    options: (suspend) => ({ suspend }),
  }),
  schedule: parameter({
    schema: optionKinds.schedule,
    column: 'schedule',
    options: (schedule) => ({ schedule }),
  }),
  granularity: parameter({
    schema: optionKinds.granularity,
    column: 'granularity',
    usual: usualOptions.granularity,
    options: (granularity) => ({ granularity }),
  }),
  urpf: parameter({
    schema: optionKinds.urpf.describe('reverse-path check (RFC 3704): strict, feasible or loose; feasible if left out'),
    column: 'urpf',
    usual: 'feasible',
    options: (urpf) => ({ urpf }),
  }),
  direction: parameter({
    schema: z
      .enum(['forth', 'back'])
      .describe('forth: from the first placement to the second one; back: the reverse; forth if left out'),
    column: 'direction',
    usual: 'forth',
  }),
  D: parameter({
    schema: z
      .number()
      .min(-maxDifferenceMs)
      .max(maxDifferenceMs)
      .describe(
        'ms from the redirection of the first gateway to that of the second, instead of a schedule; -60000 to 60000, for a VN with two gateways',
      ),
    column: 'd_ms',
    options: (differenceMs, { gateways: [first, second] }) => ({
      schedule: 'simultaneous',
      offsetsMs: new Map([
        [first!.name, Math.max(0, -differenceMs)],
        [second!.name, Math.max(0, differenceMs)],
      ]),
    }),
    refuse: (_value, _slice, { name, gateways }) =>
      gateways.length === 2 ? undefined : `D is for two gateways, and VN '${name}' has ${gateways.length}`,
  }),
  latencies: parameter({
    schema: z
      .string()
      .min(1)
      .describe('the name of latencies that this file defines; those of the slice file if left out'),
    column: 'latencies',
    slice: (name, slice, _vn, { latencies }) => ({ ...slice, latency: latencies.get(name) ?? slice.latency }),
    refuse: (name, slice, _vn, { latencies }) => {
      if (latencies.has(name)) return refuseLatencies(slice);
      const known = latencies.size === 0 ? 'no latencies' : `only ${[...latencies.keys()].join(', ')}`;
      return `the file defines ${known}, not '${name}'`;
    },
  }),
  latencyFactor: parameter({
    schema: z
      .number()
      .min(0)
      .max(1000)
      .describe('multiplies all latencies, 0 to 1000; for nodes without a host; 1 if left out'),
    column: 'latency_factor',
    slice: (factor, slice) => ({ ...slice, latency: scaled(slice.latency, factor) }),
    refuse: (_value, slice) => refuseLatencies(slice),
  }),
  rate: parameter({
    schema: rateSchema,
    column: 'rate_bps',
    slice: (rateBps, slice, vn) => withFlows(slice, vn, () => ({ rateBps })),
  }),
  payload: parameter({
    schema: payloadSchema.describe(
      "UDP payload of the flows' packets in bytes, 24 to 9000; as in the slice file if left out",
    ),
    column: 'payload_bytes',
    slice: (payloadBytes, slice, vn) => withFlows(slice, vn, () => ({ payloadBytes })),
  }),
  packetRate: parameter({
    schema: z
      .number()
      .positive()
      .max(maxPacketsPerSecond)
      .describe('packets per second of each flow, more than 0, at most 1000000, instead of a rate; needs payload'),
    column: 'packet_rate_pps',
    slice: (packetRate, slice, vn) =>
      withFlows(slice, vn, ({ payloadBytes = 0 }) => ({ rateBps: packetRate * payloadBytes * 8 })),
    refuse: (_value, _slice, { flows }) =>
      flows.every(({ payloadBytes }) => payloadBytes !== undefined) ? undefined : 'packetRate needs a payload',
  }),
  memory: parameter({
    schema: z
      .int()
      .min(memoryRange[0])
      .max(memoryRange[1])
      .describe('memory of all routers that are virtual machines, in MiB; as in the slice file if left out'),
    column: 'memory_mib',
    slice: (memoryMib, slice, vn) => withMemory(slice, vn, memoryMib),
    refuse: (_value, _slice, { name, routers }) =>
      routers.some(isImageRouter) ? undefined : `VN '${name}' has no virtual machines`,
  }),
  prefixes: parameter({
    schema: z
      .int()
      .min(0)
      .max(1_000_000)
      .describe('routes that are added to every router before the run, 0 to 1000000; 0 if left out'),
    column: 'prefixes',
    setUp: addPrefixes,
    refuse: refusePrefixes,
  }),
  ...gatewayConditions,
} as const;

export type ParameterName = keyof typeof parameters;

export type Parameters = { readonly [P in ParameterName]?: z.output<(typeof parameters)[P]['schema']> };

export const parameterNames = Object.keys(parameters) as ParameterName[];

/** A parameter whatever its values are; `valuesOf` gives values that fit. */
export function rowOf(name: ParameterName): Parameter {
  return parameters[name] as unknown as Parameter;
}

/** The values that a combination has, in the order of the columns. */
export function valuesOf(given: Parameters): [ParameterName, Value][] {
  return parameterNames.flatMap((name) => {
    const value: Value | undefined = given[name];
    return value === undefined ? [] : [[name, value]];
  });
}

/** The parameters that do not have the same value in all combinations. */
export function variedIn(combinations: readonly { readonly parameters: Parameters }[]): ParameterName[] {
  const texts = (name: ParameterName) =>
    combinations.map(({ parameters: { [name]: value } }) => (value === undefined ? undefined : textOf(value)));
  return parameterNames.filter((name) => new Set(texts(name)).size > 1);
}

/** Describes a combination, or some of its parameters, like `control remote, D -60`. */
export function describeParameters(given: Parameters, names: readonly ParameterName[] = parameterNames): string {
  return valuesOf(given)
    .filter(([name]) => names.includes(name))
    .map(([name, value]) => `${name} ${textOf(value)}`)
    .join(', ');
}

/** Whether the runs move nothing. */
export function staysInPlace({ method }: Parameters): boolean {
  return method === noMethod;
}

/** Whether gateways are redirected: no method that moves routers does that. */
export function redirectsGateways({ method = 'instance' }: Parameters): boolean {
  return method !== noMethod && !movesRouters(method);
}

/**
 * The options of the migrations of a combination. Methods that move routers keep the uRPF mode that the VN is installed
 * with.
 */
export function optionsWith(vn: VirtualNetwork, given: Parameters): MoveOptions {
  const changes = valuesOf(given).map(([name, value]) => rowOf(name).options?.(value, vn));
  const { urpf, ...options }: MoveOptions = Object.assign({}, usualOptions, ...changes);
  return !redirectsGateways(given) || urpf === undefined ? options : { ...options, urpf };
}

/** The slice, and the VN in it, as the runs of a combination have them. */
export function sliceWith(
  { slice, vn, ...named }: Named & { readonly slice: Slice; readonly vn: string },
  given: Parameters,
): { slice: Slice; vn: VirtualNetwork } {
  const find = (from: Slice) => from.vns.find(({ name }) => name === (given.vn ?? vn))!;
  const changed = valuesOf(given).reduce(
    (now, [name, value]) => rowOf(name).slice?.(value, now, find(now), named) ?? now,
    slice,
  );
  return { slice: changed, vn: find(changed) };
}

function refuseLatencies({ name, nodes }: Slice): string | undefined {
  if ([...nodes.values()].every(({ host }) => host === undefined)) return undefined;
  return `slice '${name}' has nodes with a host, whose latencies are as they are`;
}

function scaled({ defaultMs, linksMs }: Slice['latency'], factor: number): Slice['latency'] {
  const times = (row: ReadonlyMap<string, number>) => new Map([...row].map(([to, ms]) => [to, ms * factor]));
  return { defaultMs: defaultMs * factor, linksMs: new Map([...linksMs].map(([from, row]) => [from, times(row)])) };
}

function withMemory(slice: Slice, { name }: VirtualNetwork, memoryMib: number): Slice {
  const sized = (router: Router): Router =>
    isImageRouter(router) ? { ...router, config: { ...router.config, memoryMib } } : router;
  const vns = slice.vns.map((vn) => (vn.name === name ? { ...vn, routers: vn.routers.map(sized) } : vn));
  return { ...slice, vns };
}

type Flow = VirtualNetwork['flows'][number];

function withFlows(slice: Slice, { name }: VirtualNetwork, change: (flow: Flow) => Partial<Flow>): Slice {
  const vns = slice.vns.map((vn) =>
    vn.name === name ? { ...vn, flows: vn.flows.map((flow) => ({ ...flow, ...change(flow) })) } : vn,
  );
  return { ...slice, vns };
}
