/** Pure: what the paths between the nodes of a testbed are asked to do, and changes of that. */
import * as z from 'zod';
import { VnmError } from '../../model/errors.ts';

/** What `testbed up` asks of every path, besides the latencies of the slice files. */
export interface Impairment {
  /** The fraction of packets that are lost, 0 to 1. */
  readonly lossRate?: number;
  /** Of each direction of each path, counted in bytes of the packets that the nodes send. */
  readonly rateBps?: number;
}

/** All paths as `testbed up` made them. */
export interface LinkPlan {
  /** Of the nodes. */
  readonly names: readonly string[];
  /** One-way, by the nodes' positions in `names`: `[from][to]`. */
  readonly delaysMs: readonly (readonly number[])[];
  readonly impairment?: Impairment;
}

const properties = {
  /** One-way. */
  latencyMs: z.number().nonnegative(),
  /** Each packet's latency is drawn uniformly from `latencyMs` - `jitterMs` to `latencyMs` + `jitterMs`. */
  jitterMs: z.number().nonnegative(),
  /** 0 to 1. */
  lossRate: z.number().min(0).max(1),
  /** Null: no limit. */
  rateBps: z.number().positive().nullable(),
};
const propertiesSchema = z.strictObject(properties);
export const directedLinkSchema = z.strictObject({ from: z.string(), to: z.string(), ...properties });

/** Longer delays would hold packets in memory for minutes. */
export const maxLatencyMs = 60_000;

export const linkChangeSchema = z.strictObject({
  from: z.string(),
  to: z.string(),
  /** Whether only the direction from `from` to `to` changes. */
  isOneWay: z.boolean(),
  /** Whether to return to what `testbed up` made before `set` applies. */
  reset: z.boolean(),
  set: z.strictObject({
    latencyMs: properties.latencyMs.max(maxLatencyMs).exactOptional(),
    jitterMs: properties.jitterMs.max(maxLatencyMs).exactOptional(),
    lossRate: properties.lossRate.exactOptional(),
    rateBps: properties.rateBps.exactOptional(),
  }),
});

/** Of one direction of a path. */
export type LinkProperties = z.infer<typeof propertiesSchema>;
/** One direction of a path between two nodes, by their names. */
export type DirectedLink = z.infer<typeof directedLinkSchema>;
export type LinkChange = z.infer<typeof linkChangeSchema>;

/** `from` and `to`: positions of nodes. */
export function plannedLink({ delaysMs, impairment }: LinkPlan, from: number, to: number): LinkProperties {
  return {
    latencyMs: delaysMs[from]![to]!,
    jitterMs: 0,
    lossRate: impairment?.lossRate ?? 0,
    rateBps: impairment?.rateBps ?? null,
  };
}

/** Each direction between the named nodes as it is asked for now. `changed`: those that differ from the plan. */
export function askedLink(
  plan: LinkPlan,
  changed: readonly DirectedLink[],
  { from, to }: { readonly from: string; readonly to: string },
): DirectedLink {
  const known = changed.find((link) => link.from === from && link.to === to);
  return known ?? { from, to, ...plannedLink(plan, positionOf(plan, from), positionOf(plan, to)) };
}

/**
 * Returns the one or two directions that the change is about as they will be, and all directions that will differ from
 * the plan. Throws VnmError `not-found` for an unknown node, `invalid-input` for a path that cannot be.
 */
export function changeLinks(
  plan: LinkPlan,
  changed: readonly DirectedLink[],
  { from, to, isOneWay, reset, set }: LinkChange,
): { readonly affected: readonly DirectedLink[]; readonly changed: readonly DirectedLink[] } {
  if (from === to) {
    throw new VnmError('invalid-input', `node '${from}' is given twice`, { hint: 'a path is between two nodes' });
  }
  const directions = [{ from, to }, ...(isOneWay ? [] : [{ from: to, to: from }])];
  const affected = directions.map((ends) => ({ ...askedLink(plan, reset ? [] : changed, ends), ...set }));
  for (const link of affected) refuseImpossible(link);
  const others = changed.filter((link) => !affected.some((one) => one.from === link.from && one.to === link.to));
  return { affected, changed: [...others, ...affected.filter((link) => !isAsPlanned(plan, link))] };
}

export function isAsPlanned(plan: LinkPlan, link: DirectedLink): boolean {
  const planned = plannedLink(plan, positionOf(plan, link.from), positionOf(plan, link.to));
  return Object.entries(planned).every(([key, value]) => link[key as keyof LinkProperties] === value);
}

function positionOf({ names }: LinkPlan, name: string): number {
  const position = names.indexOf(name);
  if (position >= 0) return position;
  throw new VnmError('not-found', `the testbed has no node '${name}'`, { hint: `its nodes are ${names.join(', ')}` });
}

function refuseImpossible({ from, to, latencyMs, jitterMs }: DirectedLink): void {
  if (jitterMs <= latencyMs) return;
  throw new VnmError(
    'invalid-input',
    `the jitter from '${from}' to '${to}' would be ${jitterMs} ms, more than the latency of ${latencyMs} ms`,
    { hint: 'no packet arrives before it is sent: give a smaller --jitter or a larger --latency' },
  );
}
