/** The bridge of a router's switch, and the interface that it has of its own. */
export const bridgeName = 'ovs';

/** What Open vSwitch makes in a router's namespace. It comes and goes with Open vSwitch, and carries nothing. */
export const switchDevices: readonly string[] = [bridgeName, 'ovs-netdev'];
