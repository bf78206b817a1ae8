/**
 * Checks which time servers the agent may query: it sends as root from the node's own stack, so no name may lead it to
 * an address that the slice may not reach.
 */
import { containsAddress, parseAddress } from '../model/address.ts';
import { VnmError } from '../model/errors.ts';
import type { Policy } from '../vsys/policy.ts';
import type { OwnAddress } from './dataplane/planner/state.ts';
import { checkServerAddress, type OtherSubnet } from './policy.ts';

/** Addresses that must not be queried for the time. */
export interface Forbidden {
  readonly own: readonly OwnAddress[];
  readonly others: readonly OtherSubnet[];
}

/**
 * Throws VnmError `forbidden` for an address of this node, a broadcast address of one of its networks, an address of a
 * slice, or one that does not identify a single host. Call it with the address to which the server's name resolves at
 * that moment, and then send to that address.
 */
export function checkTimeServer(policy: Policy, { own, others }: Forbidden, server: string, address: string): void {
  const what = server.split(':')[0] === address ? `NTP server ${server}` : `NTP server ${server} (${address})`;
  const host = parseAddress(address);
  checkServerAddress(policy, what, host, others);
  const found = own.find(({ prefix }) => containsAddress(prefix, host));
  if (found === undefined) return;
  throw new VnmError('forbidden', `${what} is ${found.is}`, {
    hint: 'name a server on another host; the agent reads the local chrony in any case',
  });
}
