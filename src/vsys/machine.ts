/** Routers that are virtual machines, as operations and agents describe them. */
import * as z from 'zod';
import { consoleModes, memoryRange } from '../model/machine.ts';

/** How an image is known: by the SHA-256 of its content. */
export const imageDigest = z.hex().length(64).lowercase();

/** The most bytes on the configuration disk of a machine, all files together. */
const maxConfigDiskBytes = 1024 * 1024;
const maxFiles = 32;
const fileName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/);
const mac = z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);

/** One of the router's links, whose packets all go to the guest's device and come from there. */
const portSchema = z.strictObject({
  /** The link's interface in the namespace. */
  interface: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,14}$/),
  /** Of the guest's device. */
  mac,
  address: z.ipv4(),
  /** The other end of the link: the node answers the guest when it asks for its MAC address. */
  peer: z.strictObject({ address: z.ipv4(), mac }),
});

export const machineSchema = z.strictObject({
  image: imageDigest,
  memoryMib: z.int().min(memoryRange[0]).max(memoryRange[1]),
  console: z.enum(consoleModes),
  /** Of its links, in bytes. */
  mtu: z.int().min(576).max(65_535),
  /** In the order of the guest's devices. */
  ports: z.array(portSchema).max(64),
  /** The configuration disk: names and texts. */
  files: z
    .record(fileName, z.string())
    .refine((files) => Object.keys(files).length <= maxFiles, `more than ${maxFiles} files`)
    .refine(
      (files) => Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0) <= maxConfigDiskBytes,
      `more than ${maxConfigDiskBytes} bytes`,
    ),
});

/** What a machine is made of. */
export type Machine = z.infer<typeof machineSchema>;
export type MachinePort = z.infer<typeof portSchema>;

/**
 * What becomes of packets at the machine's links. `closed`: nothing gets in or out. `leaving`: the guest still gets
 * packets and forwards them, but none of its own gets out.
 */
export const portStates = ['open', 'closed', 'leaving'] as const;
export type PortState = (typeof portStates)[number];

/** The machine of a router's namespace, as its agent reports it. */
export interface MachineReport {
  readonly namespace: string;
  /**
   * `restarting`: it ended and starts again soon; `failed`: it ended too often, and stays down; `moving`: it stands
   * still while its copy begins on another node, or is that copy.
   */
  readonly state: 'running' | 'restarting' | 'failed' | 'moving';
  /** How often it was started again since its agent started. */
  readonly restarts: number;
  readonly image: string;
  readonly memoryMib: number;
  /** Whether the guest has answered for its address on every link since it started. */
  readonly answers: boolean;
  /** `damaged`: some rules are missing. */
  readonly ports: PortState | 'damaged';
  /** Absent while it does not run. */
  readonly pid?: number;
  /** The last lines on its console, if it has failed. */
  readonly lastWords?: string;
}

/** How a guest was copied. Times are in ms. */
export interface MachineCopy {
  /** Of the copy, before it was compressed. */
  readonly bytes: number;
  readonly totalMs: number;
  /** How long the guest stood still; if it still does, until the copy was complete. */
  readonly frozenMs: number;
  /** How often the guest's memory was looked through for changes. */
  readonly rounds: number;
}

/** The most bytes of a copy in one message, before they are compressed. */
export const maxCopyPart = 4 * 1024 * 1024;

/** The most bytes of an image in one message. */
export const maxImagePart = 8 * 1024 * 1024;
