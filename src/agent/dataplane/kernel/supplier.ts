/** Starts the tools of the kernel's actuator, which takes some ms, and ends those that do not answer it. */
import { VnmError } from '../../../model/errors.ts';
import type { Supplier } from '../actuator.ts';
import type { KernelStep, KernelSupplies } from './actuator.ts';
import type { Tool } from './ip.ts';
import { endSilentTools, waitingBytes } from './silent-tools.ts';
import { closePipes, type Pipes, startReadyTool } from './warm-tool.ts';

export function createKernelSupplier(): Supplier<KernelStep, KernelSupplies> {
  const waiting = new SharedArrayBuffer(waitingBytes);
  const stopWatching = endSilentTools(new Int32Array(waiting));
  /** The `names` with which each tool of the actuator was started. */
  const known = new Map<Tool, number>();
  let isEnded = false;

  return {
    actuator: { kind: 'kernel', waiting },
    /** Starts only tools that do not run yet, or know outdated names. */
    async supply(steps, names) {
      const used = [...new Set(steps.map(({ tool }) => tool))];
      const wanted = used.filter((tool) => known.get(tool) !== names);
      const tools: Partial<Record<Tool, Pipes>> = {};
      try {
        for (const tool of wanted) tools[tool] = await startReadyTool(tool);
        if (isEnded) throw new VnmError('failed', 'the timing thread has ended');
      } catch (error) {
        for (const pipes of Object.values(tools)) closePipes(pipes);
        throw error;
      }
      for (const tool of wanted) known.set(tool, names);
      return { used, tools };
    },
    end() {
      isEnded = true;
      stopWatching();
    },
  };
}
