/**
 * A router that is a virtual machine: QEMU in the network namespace of its router, with a virtio device on each tap.
 * What others need to know of it; the work is in the other files of this folder.
 */

/** What a machine is made of. Two machines of the same spec are the same hardware, so a copy of one fits the other. */
export interface MachineSpec {
  /**
   * The machine's own folder on the node (sockets, disk, console log). It exists and belongs to root; every user may
   * pass through the folders above it.
   */
  readonly folder: string;
  /** The network namespace that has the taps. */
  readonly namespace: string;
  /** The path of the image on this node, which is never written (image.ts: what it may be). */
  readonly image: string;
  readonly memoryMib: number;
  /** In the order of the guest's network devices. */
  readonly ports: readonly MachinePort[];
  /** The path of a small disk image (config-disk.ts), which is never written. */
  readonly configDisk: string;
  /** `log`: what the guest writes to its first serial port is kept, up to a limit. */
  readonly console: 'log' | 'none';
}

interface MachinePort {
  /** Name of a tap in the namespace. */
  readonly tap: string;
  /** MAC address of the guest's device. */
  readonly mac: string;
}

/** How QEMU runs the guest's code: by the processor, or by its own translator. */
export type Accelerator = 'kvm' | 'tcg';

/**
 * What QEMU calls its state; others are possible. `inmigrate`: waits for a copy. `postmigrate`: was copied, and stands
 * still.
 */
export type MachineState =
  | 'running'
  | 'paused'
  | 'prelaunch'
  | 'inmigrate'
  | 'postmigrate'
  | 'shutdown'
  | (string & {});
