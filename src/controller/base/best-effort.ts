/** Database writes whose failure does not stop the work on nodes. */
import { messageOf } from '../../model/errors.ts';
import { isDatabaseError } from '../../store/database-error.ts';
import type { Context } from './context.ts';

/** Reporters of the commands that have already reported that the database fails. */
const informed = new WeakSet<Context['report']>();

/**
 * Returns whether the write succeeded. Reports a full or locked database once per command and continues. Only for
 * writes that leave a migration in its stage (phase.ts): a new stage must be in the journal before anything is done in
 * it. Throws errors that are not the database's.
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
