import { type Path, pathText } from './path.ts';

/** A position, 1-based as in editors. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A fault in a slice file, its position, and what to do about it. */
export interface Fault extends Position {
  readonly file: string;
  /** The path of the faulty value, like `vn.links[0][2]`; absent if the fault is about a key or about the file. */
  readonly key?: string;
  readonly message: string;
  readonly hint?: string;
}

/** A fault that has a path instead of a position; it is about the value there, or about its key. */
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

/** A message with its hint; without a hint the key is absent, also in JSON. */
export function withHint(message: string, hint: string | undefined): Pick<Fault, 'message' | 'hint'> {
  return hint === undefined ? { message } : { message, hint };
}

/** Converts a problem to a fault with a file and a position. */
export function faultOf({ path, at, ...words }: Problem, file: string, position: Position): Fault {
  const key = at === 'value' && path.length > 0 ? { key: pathText(path) } : {};
  return { file, ...position, ...key, ...words };
}

/** Formats a fault as `file:line:column: key: message (hint)`. */
export function formatFault({ file, line, column, key, message, hint }: Fault): string {
  const whose = key === undefined ? '' : `${key}: `;
  return `${file}:${line}:${column}: ${whose}${message}${hint === undefined ? '' : ` (${hint})`}`;
}

/** Sorts faults by position; faults at the same position keep their order. */
export function sortFaults(faults: readonly Fault[]): Fault[] {
  return faults.toSorted((a, b) => a.line - b.line || a.column - b.column);
}
