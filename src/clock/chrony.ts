/** Reads this machine's offset from UTC where chrony keeps the clock. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { UtcReading } from './utc.ts';

const timeoutMs = 1000;
/** The reference of chrony's own clock, which it serves when it has no source (`local`): not UTC. */
const localReference = '7F7F0101';

/** Returns undefined where no synchronised chrony runs. That is no error: exchanges and NTP servers do without it. */
export async function readChrony(): Promise<UtcReading | undefined> {
  try {
    const { stdout } = await promisify(execFile)('chronyc', ['-c', 'tracking'], { timeout: timeoutMs });
    return parseTracking(stdout);
  } catch {
    return undefined;
  }
}

/**
 * Parses the line that `chronyc -c tracking` prints. Times are in seconds; the correction is positive when the system
 * clock is slow. The bound is the one that chrony's manual gives for the system clock: |offset| + root dispersion +
 * root delay / 2. Returns undefined when chrony is not synchronised or the line has another form.
 */
export function parseTracking(csv: string): UtcReading | undefined {
  const fields = csv.trim().split(',');
  const [reference, name = '', stratum] = fields;
  const isSynchronised = stratum !== '0' && reference !== localReference && fields.at(-1) !== 'Not synchronised';
  if (fields.length !== 14 || !isSynchronised) return undefined;
  const ms = (field: number) => Number.parseFloat(fields[field]!) * 1000;
  const [correctionMs, rootDelayMs, rootDispersionMs] = [ms(4), ms(10), ms(11)];
  const boundMs = Math.abs(correctionMs) + rootDispersionMs + rootDelayMs / 2;
  return Number.isFinite(boundMs) ? { kind: 'chrony', name, offsetMs: -correctionMs, boundMs } : undefined;
}
