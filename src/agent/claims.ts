/**
 * Who may change something now. A command of a controller claims its VN, or the whole slice, at its nodes before it changes anything,
 * and its requests carry the ticket. A later claim of the same ends the earlier one: whatever of that command is still under way, in
 * the buffers of a network that was cut or of a controller that was killed, is refused when it comes.
 */
import { VnmError } from '../model/errors.ts';
import type { Params, Results } from '../vsys/messages.ts';

export interface Claims {
  claim(params: Params<'claim'>): Results['claim'];
  /** Throws VnmError `conflict` for a ticket that a later claim has ended. */
  check(ticket: number): void;
}

/** Of VNs; whoever claims more loses the oldest. */
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
    // A claim may be late itself. Then another has come in between, which its sender cannot have known of.
    claim({ vn, after }) {
      if (after !== last) return { granted: false, ticket: last };
      last += 1;
      record(vn, last);
      return { granted: true, ticket: last };
    },
    check(ticket) {
      if (ticket === whole || [...byVn.values()].includes(ticket)) return;
      throw new VnmError('conflict', 'a later command works here, so this request is refused: it comes too late', {
        hint: 'see what the later command did: pl-vnm status SLICE --live',
      });
    },
  };
}
