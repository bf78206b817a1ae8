import { exitCodes } from './exit-codes.ts';

/** All error codes, each with the exit code of the command line and the status of the HTTP API. */
const codes = {
  failed: {
    means: 'The operation was tried and failed',
    exit: exitCodes.failed,
    http: 500,
  },
  conflict: {
    means: 'The request contradicts what exists (a name taken with other parameters, an object still in use)',
    exit: exitCodes.failed,
    http: 409,
  },
  'not-found': {
    means: 'Something named does not exist',
    exit: exitCodes.failed,
    http: 404,
  },
  unauthorized: {
    means: 'A request to the service has no token, or a wrong one',
    exit: exitCodes.failed,
    http: 401,
  },
  forbidden: {
    means: 'The policy or the confinement of the slice, or the service, forbids the operation',
    exit: exitCodes.failed,
    http: 403,
  },
  unsupported: {
    means: 'The node or the machine lacks a feature that is needed',
    exit: exitCodes.failed,
    http: 422,
  },
  timeout: {
    means: 'A node did not answer in time',
    exit: exitCodes.unreachable,
    http: 504,
  },
  usage: {
    means: 'The command line is invalid',
    exit: exitCodes.usage,
    http: 400,
  },
  'invalid-input': {
    means: 'A slice file or a message has faults',
    exit: exitCodes.invalidInput,
    http: 400,
  },
  unreachable: {
    means: 'A node cannot be reached, or its host key is not trusted',
    exit: exitCodes.unreachable,
    http: 502,
  },
  'rolled-back': {
    means: 'A migration was undone; the VN is on its old placement',
    exit: exitCodes.rolledBack,
    http: 409,
  },
  'rollback-incomplete': {
    means: 'A migration could not be undone completely',
    exit: exitCodes.rollbackIncomplete,
    http: 409,
  },
  interrupted: {
    means: 'A signal stopped the command',
    exit: exitCodes.interrupted,
    http: 503,
  },
} as const satisfies Record<string, { means: string; exit: number; http: number }>;

export type ErrorCode = keyof typeof codes;

export const errorCodes = Object.keys(codes) as ErrorCode[];

/** The meaning of each code, for the documentation. */
export const errorTable: Readonly<Record<ErrorCode, { means: string; exit: number; http: number }>> = codes;

/**
 * The one error class: what failed and on what (`message`), which kind (`code`), what to do (`hint`), and why
 * (`cause`).
 */
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
    return codes[this.code].exit;
  }

  get httpStatus(): number {
    return codes[this.code].http;
  }
}

/** The message of anything thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An error for programs: `--json` prints it, and the HTTP API responds with it. */
export interface ErrorJson {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint?: string };
}

export function errorJson(error: unknown): ErrorJson {
  if (!(error instanceof VnmError)) return { error: { code: 'failed', message: messageOf(error) } };
  const { code, message, hint } = error;
  return { error: { code, message, ...(hint === undefined ? {} : { hint }) } };
}
