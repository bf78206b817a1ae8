/**
 * Armed steps on the kernel: lines for an `ip` and a `tc` that already run and wait for them, and messages for switches
 * over connections that are open.
 */
import { messageOf, VnmError } from '../../../model/errors.ts';
import { BlockingSwitch } from '../../openflow/blocking.ts';
import type { Actuator } from '../actuator.ts';
import type { ArmedTool } from './ip.ts';
import { type Pipes, WarmTool } from './warm-tool.ts';

export type KernelStep = ToolStep | SwitchChange;

/** Lines, each with its line feed, that print nothing. */
export interface ToolStep {
  readonly tool: ArmedTool;
  readonly lines: readonly string[];
}

/** A change of a switch, which listens at a Unix socket. */
interface SwitchChange {
  readonly socket: string;
  /** See `changeOf`. */
  readonly bytes: Uint8Array;
  readonly xid: number;
}

export interface KernelSupplies {
  /** The tools that must run. */
  readonly used: readonly ArmedTool[];
  /** Processes that the supplier started for this and hands over to the actuator. */
  readonly tools: Partial<Record<ArmedTool, Pipes>>;
  /** Connections, by the sockets of the switches; they stay the supplier's. */
  readonly switches: Readonly<Record<string, number>>;
}

/** `waiting`: see `endSilentTools`. */
export function createKernelActuator(waiting: SharedArrayBuffer): Actuator<KernelStep, KernelSupplies> {
  const warm = (tool: ArmedTool) => new WarmTool(tool, new Int32Array(waiting));
  const tools: Record<ArmedTool, WarmTool> = { ip: warm('ip'), tc: warm('tc') };
  const switches = new Map<string, BlockingSwitch>();
  return {
    take({ used, tools: others, switches: descriptors }) {
      for (const [socket, fd] of Object.entries(descriptors)) switches.set(socket, new BlockingSwitch(fd));
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
    warmUp(step) {
      if ('tool' in step) attempt(() => tools[step.tool].work([]));
      else attempt(() => switches.get(step.socket)!.wake());
    },
    wake(step) {
      if ('tool' in step) tools[step.tool].wake();
      else attempt(() => switches.get(step.socket)!.wake());
    },
    perform(step) {
      if ('tool' in step) return attempt(() => tools[step.tool].work(step.lines));
      return attempt(() => switches.get(step.socket)!.change(step.bytes, step.xid));
    },
  };
}

/** Returns the error, if any. */
function attempt(action: () => unknown): string | undefined {
  try {
    const error = action();
    return typeof error === 'string' ? error : undefined;
  } catch (error) {
    return messageOf(error);
  }
}
