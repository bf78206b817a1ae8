import type { Path } from './path.ts';

/** 1-based, as editors count. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong in a slice file, where, and what to do about it. */
export interface Fault extends Position {
  readonly file: string;
  readonly message: string;
  readonly hint?: string;
}

/** A fault whose position is still a path: of the value there, or of its key. */
export interface Problem {
  readonly path: Path;
  readonly at: 'value' | 'key';
  readonly message: string;
  readonly hint?: string;
}

export function atValue(path: Path, message: string, hint?: string): Problem {
  return { path, at: 'value', ...withHint(message, hint) };
}

export function atKey(path: Path, message: string, hint?: string): Problem {
  return { path, at: 'key', ...withHint(message, hint) };
}

/** Without a hint the key is absent, in JSON as well. */
export function withHint(message: string, hint: string | undefined): Pick<Fault, 'message' | 'hint'> {
  return hint === undefined ? { message } : { message, hint };
}

/** `file:line:column: what is wrong (hint)` */
export function formatFault(fault: Fault): string {
  const hint = fault.hint === undefined ? '' : ` (${fault.hint})`;
  return `${fault.file}:${fault.line}:${fault.column}: ${fault.message}${hint}`;
}

/** In the order of their positions; those at one position stay as they are. */
export function sortFaults(faults: readonly Fault[]): Fault[] {
  return faults.toSorted((a, b) => a.line - b.line || a.column - b.column);
}
