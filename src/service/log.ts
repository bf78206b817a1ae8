/** The service's log: one line of JSON per record, with the fields and events that docs/service.md lists. */

import { type DestinationStream, pino, stdTimeFunctions } from 'pino';
import { errorJson, VnmError } from '../model/errors.ts';
import type { NodeName } from '../model/names.ts';

/** What a record tells of. Names stay as they are: people search and count by them. */
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

/** What a record can have next to `time`, `level`, `event` and `msg`. Headers of requests are never among it. */
export interface LogFields {
  readonly slice?: string | undefined;
  readonly vn?: string | undefined;
  readonly node?: NodeName | undefined;
  readonly job?: string | undefined;
  /** Its id. */
  readonly migration?: number | undefined;
  /** How long it took. */
  readonly ms?: number | undefined;
  readonly method?: string | undefined;
  /** The pattern, not what was asked for: `/api/slices/:slice`. */
  readonly route?: string | undefined;
  /** Of HTTP. */
  readonly status?: number | undefined;
  /** Anything thrown. */
  readonly err?: unknown;
}

export type Log = Record<LogLevel, (event: LogEvent, message: string, fields?: LogFields) => void>;

/** Bytes of log that wait for whoever reads it. */
const maxWaiting = 1024 * 1024;

/** A line that cannot be written, as where the disk is full or the lines before it are unread, is lost; the service goes on. */
const stderr: DestinationStream = {
  write: (line) => {
    if (process.stderr.writableLength < maxWaiting) process.stderr.write(line);
  },
};

/** Writes to stderr at once, so that the last line before an end is there; or to `stream`. */
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

/** An unforeseen error, a fault of the program, has its stack. */
function describe(thrown: unknown): { code: string; message: string; stack?: string | undefined } {
  const { code, message } = errorJson(thrown).error;
  return thrown instanceof VnmError || !(thrown instanceof Error)
    ? { code, message }
    : { code, message, stack: thrown.stack };
}
