import { closeSync, openSync, writeSync } from 'node:fs';

/**
 * The kernel's PM QoS interface: while it is open, no processor takes longer to wake than the number of us written to
 * it.
 */
const device = '/dev/cpu_dma_latency';

/**
 * Keeps idle processors from sleeping: waking one takes up to a millisecond, above all in a virtual machine. Where that
 * is not allowed everything still works, with less exact timing.
 */
export class Processors {
  #held: number | undefined;

  keepAwake(): void {
    if (this.#held !== undefined) return;
    try {
      this.#held = openSync(device, 'w');
      writeSync(this.#held, new Uint8Array(4));
    } catch {
      this.letSleep();
    }
  }

  letSleep(): void {
    if (this.#held !== undefined) closeSync(this.#held);
    this.#held = undefined;
  }
}
