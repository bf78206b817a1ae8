/**
 * Decides which command may change something. A controller's command claims its VN, or the whole slice, at its nodes
 * before it changes anything, and its requests carry the ticket. A later claim of the same VN or slice ends the earlier
 * claim: requests of the earlier command that arrive afterwards, delayed by a cut network or sent by a killed
 * controller, are refused.
 */
import { VnmError } from '../model/errors.ts';
import type { Params, Results } from '../vsys/messages.ts';

export interface Claims {
  claim(params: Params<'claim'>): Results['claim'];
  /** Throws VnmError `conflict` if a later claim has ended this ticket's claim. */
  check(ticket: number): void;
}

/** The most VNs with a claim; one more drops the oldest. */
const maxKept = 1024;

export function createClaims(): Claims {
  let last = 0;
  let whole: number | undefined;
  const byVn = new Map<string, number>();

  function record(vn: string | undefined, ticket: number): void {
    if (vn === undefined) {
      byVn.clear();
      whole = ticket;
      return;
    }
    whole = undefined;
    byVn.delete(vn);
    byVn.set(vn, ticket);
    if (byVn.size > maxKept) byVn.delete(byVn.keys().next().value!);
  }

  return {
    // A claim may itself arrive late. Then another claim came first, which its sender cannot have known.
    claim({ vn, after }) {
      if (after !== last) return { granted: false, ticket: last };
      last += 1;
      record(vn, last);
      return { granted: true, ticket: last };
    },
    check(ticket) {
      if (ticket === whole || [...byVn.values()].includes(ticket)) return;
      throw new VnmError('conflict', 'request refused: a later command has taken over on this node', {
        hint: 'run `pl-vnm status SLICE --live` to see what the later command did',
      });
    },
  };
}
