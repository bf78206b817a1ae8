import { VnmError } from '../../model/errors.ts';

const maxShown = 60;

/** A statement that may not be used. */
export function refused(line: number, statement: string, reason: string, hint: string): VnmError {
  return new VnmError('forbidden', `line ${line}: ${shown(statement)} is refused: ${reason}`, { hint });
}

/** A text that is no configuration of the daemon. */
export function invalid(line: number, what: string, hint: string): VnmError {
  return new VnmError('invalid-input', `line ${line}: ${what}`, { hint });
}

function shown(statement: string): string {
  const text = statement.trim().replaceAll(/\s+/g, ' ');
  return `'${text.length > maxShown ? `${text.slice(0, maxShown)}...` : text}'`;
}
