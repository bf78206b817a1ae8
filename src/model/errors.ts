/** What can go wrong, each with the exit code of the command line (DESIGN: "Command line"). */
const exitCodes = {
  /** The operation was tried and failed. */
  failed: 1,
  /** The request contradicts what exists (a name taken with other parameters, an object still in use). */
  conflict: 1,
  /** Something named does not exist. */
  'not-found': 1,
  /** The policy or the confinement of the slice forbids it. */
  forbidden: 1,
  /** The node or the machine lacks a feature that is needed. */
  unsupported: 1,
  /** No answer in time. */
  timeout: 1,
  /** Wrong words on the command line. */
  usage: 2,
  /** A slice file or a message has faults. */
  'invalid-input': 3,
  /** A node cannot be reached, or its host key is not trusted. */
  unreachable: 4,
  /** A migration was undone; the VN is on its old placement. */
  'rolled-back': 5,
  /** A migration could not be undone completely. */
  'rollback-incomplete': 6,
  /** Stopped by a signal. */
  interrupted: 130,
} as const;

export type ErrorCode = keyof typeof exitCodes;

export const errorCodes = Object.keys(exitCodes) as ErrorCode[];

/** The one error class: what failed and on what (`message`), which kind (`code`), what to do (`hint`), and why (`cause`). */
export class VnmError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'VnmError';
    this.code = code;
    this.hint = options.hint;
  }

  get exitCode(): number {
    return exitCodes[this.code];
  }
}

/** The message of anything thrown, without stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
