/** Armed steps on the kernel: lines for an `ip` and a `tc` that already run and wait for them. */
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { Actuator } from '../actuator.ts';
import type { ArmedTool } from './ip.ts';
import { type Pipes, WarmTool } from './warm-tool.ts';

/** Lines, each with its line feed, that print nothing. */
export interface KernelStep {
  readonly tool: ArmedTool;
  readonly lines: readonly string[];
}

export interface KernelSupplies {
  /** The tools that must run. */
  readonly used: readonly ArmedTool[];
  /** Processes that the supplier started for this and hands over to the actuator. */
  readonly tools: Partial<Record<ArmedTool, Pipes>>;
}

/** `waiting`: see `endSilentTools`. */
export function createKernelActuator(waiting: SharedArrayBuffer): Actuator<KernelStep, KernelSupplies> {
  const warm = (tool: ArmedTool) => new WarmTool(tool, new Int32Array(waiting));
  const tools: Record<ArmedTool, WarmTool> = { ip: warm('ip'), tc: warm('tc') };
  return {
    take({ used, tools: others }) {
      for (const tool of ['ip', 'tc'] as const) {
        const pipes = others[tool];
        if (pipes !== undefined) tools[tool].take(pipes);
        else if (used.includes(tool)) {
          // Only a running tool takes no time to start.
          const error = tools[tool].work([]);
          if (error !== undefined) throw new VnmError('failed', error);
        }
      }
    },
    /** A request without lines restarts a tool that has ended, and loads what the tool needs into the caches. */
    warmUp: ({ tool }) => void attempt(tools[tool], []),
    wake: ({ tool }) => tools[tool].wake(),
    perform: ({ tool, lines }) => attempt(tools[tool], lines),
  };
}

/** Returns the error, if any. */
function attempt(tool: WarmTool, lines: readonly string[]): string | undefined {
  try {
    return tool.work(lines);
  } catch (error) {
    return messageOf(error);
  }
}
