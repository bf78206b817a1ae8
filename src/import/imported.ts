/** What a file of a testbed or a tool says, before names are made legal and files are put together. */
import type { JumpHost } from '../model/ssh-way.ts';
import type { Position } from '../slicefile/fault.ts';

export const formats = [
  'fablib',
  'geni',
  'ansible',
  'terraform',
  'containerlab',
  'kathara',
  'graphml',
  'sndlib',
] as const;
export type Format = (typeof formats)[number];

/** A host, under the name that the file gives it. */
export interface ImportedNode {
  readonly name: string;
  readonly file: string;
  readonly position: Position;
  /** Absent if only its addresses are known. */
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  /** The path of a private key file. */
  readonly key?: string;
  /** The path of an SSH configuration. */
  readonly config?: string;
  /** The servers that SSH passes, as `[user@]host[:port]` or in parts. */
  readonly jump?: readonly (string | JumpHost)[];
  /** The IPv4 addresses that other nodes may reach, by the name of the network. */
  readonly networks?: ReadonlyMap<string, string>;
}

/** A device of a topology; it becomes a router and a node. */
export interface ImportedDevice {
  /** Its name for segments. */
  readonly name: string;
  /** Its name for people, if that is another; two devices may have the same. */
  readonly label?: string;
  readonly position: Position;
  /** Degrees. */
  readonly place?: Place;
}

export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

/** What joins devices: a link joins two, a shared medium (a bridge, a collision domain) any number. */
export interface ImportedSegment {
  readonly position: Position;
  /** The name of a shared medium; segments with the same name are one. */
  readonly medium?: string;
  /** Another shared medium that is joined to this one. */
  readonly joins?: string;
  /** The names of devices. */
  readonly ends: readonly string[];
}

/** Something that was not imported, or not as it is in the file. */
export interface Remark {
  readonly file: string;
  readonly position: Position;
  readonly text: string;
}

export interface Imported {
  readonly file: string;
  readonly format: Format;
  /** What the file is, for people: "Ansible inventory". */
  readonly title: string;
  /** The name of the lab or network, if the file has one. */
  readonly name?: string;
  readonly content: { readonly nodes: readonly ImportedNode[] } | Topology;
  readonly remarks: readonly Remark[];
}

export interface Topology {
  readonly devices: readonly ImportedDevice[];
  readonly segments: readonly ImportedSegment[];
}
