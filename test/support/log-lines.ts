import { type Log, openLog } from '../../src/service/log.ts';

export interface LogLines {
  readonly log: Log;
  /** The text logged so far. */
  readonly text: () => string;
  readonly records: () => Record<string, unknown>[];
}

/** A log in memory. */
export function logLines(): LogLines {
  const lines: string[] = [];
  const log = openLog({ level: 'debug', stream: { write: (line) => void lines.push(line) } });
  const text = () => lines.join('');
  return { log, text, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}
