/** What a router of kind `switch` forwards by, instead of routes. */

/** A port of a switch: an interface, and the number that OpenFlow has for it. */
interface SwitchPort {
  readonly interface: string;
  readonly number: number;
}

/** The largest port number that OpenFlow 1.4 leaves to switches (7.2.1, OFPP_MAX). */
export const maxPortNumber = 0xffffff00;

/** The most ports, and entries, of one switch. */
export const maxSwitchPorts = 4096;
export const maxFlowEntries = 20_000;

/**
 * One entry: which IPv4 packets it takes, and where it sends them. Two entries with the same interface, source and
 * destination are the same entry with different outputs.
 */
export interface FlowEntry {
  /** Where the packets arrive; absent: anywhere. */
  readonly in?: string;
  /** A prefix; absent: any. */
  readonly source?: string;
  /** A prefix. */
  readonly destination: string;
  readonly output: FlowOutput;
}

export interface FlowOutput {
  readonly interface: string;
  /** The MAC address of that interface, from which the packets are sent on. */
  readonly sender: string;
  /** The MAC address of the neighbour. Of a switch that moves, each place has one of its own. */
  readonly receiver: string;
}

/** Everything that a switch has. */
export interface SwitchConfig {
  readonly ports: readonly SwitchPort[];
  readonly entries: readonly FlowEntry[];
}

/** What tells an entry from others of its switch. */
export function flowKey({ in: port = '', source = '', destination }: Omit<FlowEntry, 'output'>): string {
  return `${port} ${source} ${destination}`;
}

/** The entries of `after` that `before` lacks or has with another output. */
export function changedEntries(before: readonly FlowEntry[], after: readonly FlowEntry[]): FlowEntry[] {
  const known = new Map(before.map((entry) => [flowKey(entry), entry.output]));
  return after.filter((entry) => {
    const output = known.get(flowKey(entry));
    const { interface: name, sender, receiver } = entry.output;
    return output?.interface !== name || output.sender !== sender || output.receiver !== receiver;
  });
}
