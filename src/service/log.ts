/** The service's log: one line of JSON per record, with the fields and events that docs/service.md lists. */

import { type DestinationStream, pino, stdTimeFunctions } from 'pino';
import { errorJson, VnmError } from '../model/errors.ts';
import type { NodeName } from '../model/names.ts';

/** The events of log records. Never rename one: people search for them and count them. */
export const logEvents = [
  'started',
  'ending',
  'ended',
  'progress',
  'request',
  'request-failed',
  'events-client-dropped',
  'events-unreadable',
  'health',
  'health-failed',
  'agent-started',
  'audit-failed',
  'resume-failed',
  'job-started',
  'job-finished',
  'job-failed',
  'job-skipped',
  'job-missed',
  'job-paused',
  'job-clock',
  'jobs-unreadable',
  'pruned',
  'database-busy',
] as const;
export type LogEvent = (typeof logEvents)[number];

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The fields of a record besides `time`, `level`, `event` and `msg`. Request headers are never logged. */
export interface LogFields {
  readonly slice?: string | undefined;
  readonly vn?: string | undefined;
  readonly node?: NodeName | undefined;
  readonly job?: string | undefined;
  /** The id of the migration. */
  readonly migration?: number | undefined;
  /** The duration. */
  readonly ms?: number | undefined;
  readonly method?: string | undefined;
  /** The route's pattern, not the requested path: `/api/slices/:slice`. */
  readonly route?: string | undefined;
  /** The HTTP status. */
  readonly status?: number | undefined;
  /** Anything thrown. */
  readonly err?: unknown;
}

export type Log = Record<LogLevel, (event: LogEvent, message: string, fields?: LogFields) => void>;

/** The most bytes of log that wait for their reader. */
const maxWaiting = 1024 * 1024;

/** Loses a line that cannot be written, for example because the disk is full or earlier lines are unread. */
const stderr: DestinationStream = {
  write: (line) => {
    if (process.stderr.writableLength < maxWaiting) process.stderr.write(line);
  },
};

/** Opens a log to `stream`, or to stderr, where each line is written at once so that the last ones are not lost. */
export function openLog({ level = 'info', stream }: { level?: LogLevel; stream?: DestinationStream } = {}): Log {
  const logger = pino(
    {
      base: null,
      level,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describe },
    },
    stream ?? stderr,
  );
  const writer =
    (which: LogLevel) =>
    (event: LogEvent, message: string, fields: LogFields = {}) =>
      logger[which]({ event, ...fields }, message);
  return { debug: writer('debug'), info: writer('info'), warn: writer('warn'), error: writer('error') };
}

/** Includes the stack of an unforeseen error, which is a bug in the program. */
function describe(thrown: unknown): { code: string; message: string; stack?: string | undefined } {
  const { code, message } = errorJson(thrown).error;
  return thrown instanceof VnmError || !(thrown instanceof Error)
    ? { code, message }
    : { code, message, stack: thrown.stack };
}
