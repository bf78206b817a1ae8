import { messageOf, VnmError } from '../model/errors.ts';
import type { Slice } from '../model/slice.ts';
import type { Feature } from '../vsys/messages.ts';
import { withAgents } from './agents.ts';
import { type ClockReport, measureClocks, type OwnUtc, readOwnUtc, reportClock } from './clocks.ts';
import type { Context } from './context.ts';

/** What one node can do for the slice. */
export interface NodeReport {
  readonly node: string;
  readonly reachable: boolean;
  /** Why it is not reachable, or what it lacks. */
  readonly problems: string[];
  readonly agent?: { version: string; node: string; pid: number };
  readonly kernel?: string;
  readonly features?: readonly Feature[];
  readonly clock?: ClockReport;
  /** How late its timer begins what is armed. */
  readonly timerLag?: { p99Ms: number; maxMs: number };
}

export interface DoctorResult {
  readonly slice: string;
  readonly ok: boolean;
  readonly nodes: NodeReport[];
}

/** Without these a node cannot take part at all. */
const needed: readonly Feature['name'][] = ['root', 'vxlan', 'nexthop-groups'];

const lagSamples = 50;

/** Looks at every node of the slice by itself, so that one that is away does not hide the others. */
export async function doctor(context: Context, slice: Slice): Promise<DoctorResult> {
  let own: Promise<OwnUtc> | undefined;
  const readOwn = () => {
    own ??= readOwnUtc(slice, context.signal);
    return own;
  };
  const nodes = await Promise.all([...slice.nodes.keys()].map((node) => examine(context, slice, node, readOwn)));
  const ok = nodes.every((node) => node.reachable && node.problems.length === 0);
  return { slice: slice.name, ok, nodes };
}

async function examine(
  context: Context,
  slice: Slice,
  node: string,
  readOwn: () => Promise<OwnUtc>,
): Promise<NodeReport> {
  try {
    return await withAgents(context, slice, [node], async (agents) => {
      const { agent, kernel, features } = agents.get(node).facts;
      const { lagMs } = await agents.get(node).call('timer_lag', { samples: lagSamples });
      // Last: by now the other nodes are connected too, which keeps this machine busy.
      const clock = (await measureClocks(agents, [node], readOwn)).get(node)!;
      const lacking = features.filter((feature) => needed.includes(feature.name) && !feature.available);
      return {
        node,
        reachable: true,
        problems: lacking.map(({ name, detail }) => `lacks ${name}${detail === undefined ? '' : `: ${detail}`}`),
        agent: { version: agent.version, node: agent.node, pid: agent.pid },
        kernel,
        features,
        clock: reportClock(clock),
        timerLag: { p99Ms: quantile(lagMs, 0.99), maxMs: Math.max(...lagMs) },
      };
    });
  } catch (error) {
    if (context.signal?.aborted === true) throw error;
    const hint = error instanceof VnmError && error.hint !== undefined ? ` (${error.hint})` : '';
    return { node, reachable: false, problems: [`${messageOf(error)}${hint}`] };
  }
}

/** Between the two nearest of the values. */
function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = fraction * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return low + (high - low) * (place - Math.floor(place));
}
