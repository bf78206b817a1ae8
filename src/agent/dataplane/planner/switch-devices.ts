/** The bridge of a router's switch, and the interface that it has of its own. */
export const bridgeName = 'ovs';

/** What Open vSwitch makes in a router's namespace for itself; it carries nothing. */
export const switchDevices: readonly string[] = [bridgeName, 'ovs-netdev'];
