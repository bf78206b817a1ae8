/**
 * Under feasible-path or loose uRPF (RFC 3704) gateways accept packets from both instances, and no schedule loses any.
 * This holds if, in this order, every gateway accepts the new path; the first gateway redirects; the last packet on the
 * old path arrives (`acceptOldUntilMs`); and only then a gateway stops accepting the old path or the old instance is
 * removed.
 */

/**
 * The time in ms whose packets arrive behind a later one, under feasible or loose uRPF without a gate: on a faster new
 * path the first packets overtake the last ones on the old path, whatever the timing of the redirections. The number of
 * reordered packets is rate x this time.
 */
export function overtakenMs(flow: { readonly oldMs: number; readonly newMs: number }): number {
  return Math.max(0, flow.oldMs - flow.newMs);
}
