import { type Log, openLog } from '../../src/service/log.ts';

export interface LogLines {
  readonly log: Log;
  /** What was logged so far, as it was written. */
  readonly text: () => string;
  readonly records: () => Record<string, unknown>[];
}

/** A log that is kept in memory. */
export function logLines(): LogLines {
  const lines: string[] = [];
  const log = openLog({ level: 'debug', stream: { write: (line) => void lines.push(line) } });
  const text = () => lines.join('');
  return { log, text, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}
