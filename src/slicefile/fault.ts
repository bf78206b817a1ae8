import { type Path, pathText } from './path.ts';

/** 1-based, as editors count. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong in a slice file, where, and what to do about it. */
export interface Fault extends Position {
  readonly file: string;
  /** Whose value is at fault, like `vn.links[0][2]`; absent when the fault is about a key itself, or about the file. */
  readonly key?: string;
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

/** The problem with its file and position; one about a value names the key of that value. */
export function faultOf({ path, at, ...words }: Problem, file: string, position: Position): Fault {
  const key = at === 'value' && path.length > 0 ? { key: pathText(path) } : {};
  return { file, ...position, ...key, ...words };
}

/** `file:line:column: key: what is wrong (hint)` */
export function formatFault({ file, line, column, key, message, hint }: Fault): string {
  const whose = key === undefined ? '' : `${key}: `;
  return `${file}:${line}:${column}: ${whose}${message}${hint === undefined ? '' : ` (${hint})`}`;
}

/** In the order of their positions; those at one position stay as they are. */
export function sortFaults(faults: readonly Fault[]): Fault[] {
  return faults.toSorted((a, b) => a.line - b.line || a.column - b.column);
}
