/**
 * Under feasible-path or loose uRPF (RFC 3704) both instances are accepted, and no schedule loses anything. That holds
 * when, in this order, every gateway accepts the new path; the first gateway redirects; the last packet on the old path
 * has arrived (`acceptOldUntilMs` in the schedule's instants); and only then a gateway stops accepting the old path, or the old instance goes.
 */

/**
 * Time in ms whose packets arrive behind a later one, under feasible or loose uRPF without a gate: where the new path is faster, the first
 * packets on it overtake the last ones on the old path, however the redirections are timed. Reordered packets are rate x this time.
 */
export function overtakenMs(flow: { readonly oldMs: number; readonly newMs: number }): number {
  return Math.max(0, flow.oldMs - flow.newMs);
}
