/** Which time servers the agent asks: it sends as root from the node's own stack, so no name may lead it where the slice may not go. */
import { containsAddress, parseAddress } from '../model/address.ts';
import { VnmError } from '../model/errors.ts';
import type { Policy } from '../vsys/policy.ts';
import type { OwnAddress } from './dataplane/kernel/state.ts';
import { checkServerAddress, type Stranger } from './policy.ts';

/** Addresses that must not be asked for the time. */
export interface Forbidden {
  readonly own: readonly OwnAddress[];
  readonly others: readonly Stranger[];
}

/**
 * Throws VnmError `forbidden` for an address of this node, of one of its networks as a whole (broadcast), of a slice, or one that
 * means no certain host. To be asked of the address that the server's name has at that moment, which is then the one to send to.
 */
export function checkTimeServer(policy: Policy, { own, others }: Forbidden, server: string, address: string): void {
  const what = server.split(':')[0] === address ? `NTP server ${server}` : `NTP server ${server} (${address})`;
  const host = parseAddress(address);
  checkServerAddress(policy, what, host, others);
  const found = own.find(({ prefix }) => containsAddress(prefix, host));
  if (found === undefined) return;
  throw new VnmError('forbidden', `${what} is ${found.is}`, {
    hint: 'name a server on another host; chrony is read without being named',
  });
}
