import type { Store } from '../../store/store.ts';
import type { Connections } from './connections.ts';

/** What every orchestrator gets from the command line or the service. */
export interface Context {
  readonly store: Store;
  readonly acceptNewHostKeys: boolean;
  /** Progress for people; results are returned. */
  readonly report: (progress: Progress) => void;
  /** Reports what is sent to which node and how long answers take; absent unless the user asked for it. */
  readonly detail?: (text: string) => void;
  readonly signal?: AbortSignal;
  /** Whether to wait until another command on the same slice or VN has ended, instead of failing. */
  readonly wait?: boolean;
  /** Connections that stay open between commands; without them each command makes its own. */
  readonly connections?: Connections;
  /** What this command has locked: it claims that on its nodes before it changes anything. */
  readonly lock?: HeldLock;
}

/** A lock on a VN; without `vn`, on the whole slice. */
export interface HeldLock {
  readonly vn?: string | undefined;
}

/** `phase`: a new phase begins. `note`: something worth a line. */
export interface Progress {
  readonly kind: 'phase' | 'note';
  readonly text: string;
  /** How much of the command is done, where that is known. */
  readonly done?: Done;
}

/** `parts` of `of` are done; `leftMs`: how long the others take, where that is known. */
interface Done {
  readonly parts: number;
  readonly of: number;
  readonly leftMs?: number;
}

/** Returns the signal as an option, or no option if there is none: exact optional properties must not be undefined. */
export function signalOption(context: { signal?: AbortSignal | undefined }): { signal?: AbortSignal } {
  return context.signal === undefined ? {} : { signal: context.signal };
}
