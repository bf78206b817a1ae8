/** What every format has. */
import type { Imported } from '../imported.ts';
import type { Part } from '../part.ts';

/** What a format reads from a file whose content is a tree. */
export type Reading = Pick<Imported, 'name' | 'content' | 'remarks'>;

export interface TreeFormat {
  readonly title: string;
  /** Whether the content has the form of this format; faults in it are for `read`. */
  readonly fits: (root: Part) => boolean;
  /** Throws VnmError `invalid-input` with the place of a fault. */
  readonly read: (root: Part) => Reading;
}

/** A remark about a value. */
export function remarkAt(part: Part, text: string): Imported['remarks'][number] {
  return { file: part.file, position: part.position, text };
}

/** A port number. Throws VnmError `invalid-input`. */
export function portOf(part: Part, key: string): number | undefined {
  const port = part.numberOf(key);
  if (port === undefined || (Number.isInteger(port) && port >= 1 && port <= 65_535)) return port;
  throw part.get(key)!.fault(`${port} is no port`, 'a port is a whole number from 1 to 65535');
}

/** The entries of an object that have a value. */
export function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
