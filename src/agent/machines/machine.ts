/**
 * A router that is a virtual machine: QEMU in the network namespace of its router, with a virtio device on each tap.
 * What others need to know of it; the work is in the files beside this one.
 */
import type { Readable, Writable } from 'node:stream';

/** What a machine is made of. Two machines of the same spec are the same hardware, so a copy of one fits the other. */
export interface MachineSpec {
  /** The machine's own folder on the node (sockets, disk, console log). Exists; only root may enter it. */
  readonly folder: string;
  /** The network namespace that has the taps. */
  readonly namespace: string;
  /**
   * The path of the image on this node, which is never written: a disk (qcow2, or raw with a boot sector), or a tar
   * with the files `kernel`, `initrd` and `cmdline` (the kernel's command line; may be left out).
   */
  readonly image: string;
  readonly memoryMib: number;
  /** In the order of the guest's network devices. */
  readonly ports: readonly MachinePort[];
  /** The path of a small disk image (see config-disk.ts), which is never written. */
  readonly configDisk: string;
  /** `log`: what the guest writes to its first serial port is kept, up to a limit. */
  readonly console: 'log' | 'none';
}

export interface MachinePort {
  /** Name of a tap in the namespace. */
  readonly tap: string;
  /** MAC address of the guest's device. */
  readonly mac: string;
}

/** How QEMU runs code of the guest: by the processor, or by its own translator. Copies fit only the same. */
export type Accelerator = 'kvm' | 'tcg';

/** What QEMU calls its state; these matter here. `inmigrate`: waits for a copy. `postmigrate`: was copied, stands still. */
export type MachineState = 'running' | 'paused' | 'prelaunch' | 'inmigrate' | 'postmigrate' | 'shutdown';

/** Milliseconds by the node's clock. */
export interface Copied {
  /** Of the copy, before it is compressed. */
  readonly bytes: number;
  readonly totalMs: number;
  /** How long the guest stood still; with `suspend` it still does, and this is the time until the copy was complete. */
  readonly frozenMs: number;
  /** How often the guest's memory was looked through for changes. */
  readonly rounds: number;
}

export interface CopyOptions {
  /** Whether the guest stands still from the beginning, and afterwards. Otherwise it runs on. */
  readonly suspend: boolean;
  readonly signal?: AbortSignal;
}

/** Functions of this folder, for whoever composes them. */
export interface Machines {
  /** Throws VnmError; then nothing of it is left. `paused`: it begins with `continueMachine`. */
  start(spec: MachineSpec, how?: { readonly paused?: boolean }): Promise<{ readonly pid: number }>;
  /** Undefined if no QEMU answers there. */
  state(folder: string): Promise<MachineState | undefined>;
  /** Ends it at once. */
  end(folder: string): Promise<void>;
  stop(folder: string): Promise<void>;
  resume(folder: string): Promise<void>;
  copyMemory(folder: string, to: Writable, options: CopyOptions): Promise<Copied>;
  /** Starts a machine of the spec that has the copied memory and stands still. */
  restore(spec: MachineSpec, from: Readable): Promise<{ readonly pid: number }>;
}
