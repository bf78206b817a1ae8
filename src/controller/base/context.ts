import type { Store } from '../../store/store.ts';
import type { Connections } from './connections.ts';

/** What every orchestrator gets from the command line or the service. */
export interface Context {
  readonly store: Store;
  readonly acceptNewHostKeys: boolean;
  /** Progress for people; results are returned. */
  readonly report: (progress: Progress) => void;
  /** What is sent to which node, and how long answers take: for who asked for it. */
  readonly detail?: (text: string) => void;
  readonly signal?: AbortSignal;
  /** Wait for another command on the same slice or VN to end, instead of refusing. */
  readonly wait?: boolean;
  /** Connections that stay open from command to command; without them each command makes its own. */
  readonly connections?: Connections;
  /** What this command has locked: it claims that at its nodes before it changes anything. */
  readonly lock?: HeldLock;
}

/** Of the whole slice without `vn`. */
export interface HeldLock {
  readonly vn?: string | undefined;
}

/** `phase`: a new phase begins. `note`: something worth a line. */
export interface Progress {
  readonly kind: 'phase' | 'note';
  readonly text: string;
}

/** Options that are only there when set, as exact optional properties want them. */
export function signalOption(context: { signal?: AbortSignal | undefined }): { signal?: AbortSignal } {
  return context.signal === undefined ? {} : { signal: context.signal };
}
