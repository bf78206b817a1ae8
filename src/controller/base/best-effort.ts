/** Writes that the work on nodes does not wait for. */
import { messageOf } from '../../model/errors.ts';
import { isDatabaseError } from '../../store/database-error.ts';
import type { Context } from './context.ts';

/** Commands that have reported that the database fails. */
const informed = new WeakSet<Context['report']>();

/**
 * Answers whether it was written. A database that is full or locked is reported once per command and stops nothing. Only for writes
 * that leave a migration in its stage (phase.ts): a new stage must be in the journal before anything is done in it. Throws errors
 * that are not the database's.
 */
export function writeIfPossible({ report }: Pick<Context, 'report'>, write: () => void): boolean {
  try {
    write();
    return true;
  } catch (error) {
    if (!isDatabaseError(error)) throw error;
    if (!informed.has(report)) report({ kind: 'note', text: `not everything is recorded: ${messageOf(error)}` });
    informed.add(report);
    return false;
  }
}
