/**
 * Starts the tools of the kernel's actuator, which takes some ms, ends those that do not answer it, and connects to the
 * switches that it changes.
 */
import { VnmError } from '../../../model/errors.ts';
import { OpenFlowConnection } from '../../openflow/connection.ts';
import type { Supplier } from '../actuator.ts';
import type { KernelStep, KernelSupplies } from './actuator.ts';
import type { Tool } from './ip.ts';
import { endSilentTools, waitingBytes } from './silent-tools.ts';
import { closePipes, type Pipes, startReadyTool } from './warm-tool.ts';

/** The actuator has long taken the next connection by then, and uses this one no more. */
const closeAfterMs = 30_000;

export function createKernelSupplier(): Supplier<KernelStep, KernelSupplies> {
  const waiting = new SharedArrayBuffer(waitingBytes);
  const stopWatching = endSilentTools(new Int32Array(waiting));
  /** The `names` with which each tool of the actuator was started. */
  const known = new Map<Tool, number>();
  const connections = new Map<string, OpenFlowConnection>();
  let isEnded = false;

  /**
   * Connects each time: a switch that was started again, or that got no answer to its own questions for two
   * minutes, has closed the connection before.
   */
  async function connect(socket: string): Promise<number> {
    const connection = await OpenFlowConnection.open(socket);
    const before = connections.get(socket);
    if (before !== undefined) setTimeout(() => before.close(), closeAfterMs).unref();
    connections.set(socket, connection);
    return connection.handOver();
  }

  return {
    actuator: { kind: 'kernel', waiting },
    /** Starts only tools that do not run yet, or know outdated names. */
    async supply(steps, names) {
      const used = [...new Set(steps.flatMap((step) => ('tool' in step ? [step.tool] : [])))];
      const sockets = [...new Set(steps.flatMap((step) => ('tool' in step ? [] : [step.socket])))];
      const wanted = used.filter((tool) => known.get(tool) !== names);
      const tools: Partial<Record<Tool, Pipes>> = {};
      const switches: Record<string, number> = {};
      try {
        for (const socket of sockets) switches[socket] = await connect(socket);
        for (const tool of wanted) tools[tool] = await startReadyTool(tool);
        if (isEnded) throw new VnmError('failed', 'the timing thread has ended');
      } catch (error) {
        for (const pipes of Object.values(tools)) closePipes(pipes);
        throw error;
      }
      for (const tool of wanted) known.set(tool, names);
      return { used, tools, switches };
    },
    end() {
      isEnded = true;
      stopWatching();
      for (const connection of connections.values()) connection.close();
    },
  };
}
