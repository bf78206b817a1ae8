import { VnmError } from '../model/errors.ts';
import { readChrony } from './chrony.ts';
import type { Clock } from './clock.ts';
import { type NtpOptions, queryNtp } from './ntp.ts';
import type { UtcReport } from './utc.ts';

const query = { samples: 4, timeoutMs: 1000 } as const;

/**
 * Measures this machine's clock against UTC with every available source: the given servers, all at once, and chrony if
 * it runs here. Takes about a second at most. Throws VnmError `interrupted`; a server that fails becomes an error in
 * the report.
 */
export async function readUtc(
  ntpServers: readonly string[],
  clock: Clock,
  options: Pick<NtpOptions, 'signal' | 'check'> = {},
): Promise<UtcReport> {
  const errors: string[] = [];
  const readings = await Promise.all([
    readChrony(),
    ...ntpServers.map((server) =>
      queryNtp(server, { ...query, ...options }, clock).catch((error: unknown) => {
        if (!(error instanceof VnmError) || error.code === 'interrupted') throw error;
        errors.push(error.message);
        return undefined;
      }),
    ),
  ]);
  return { sources: readings.filter((reading) => reading !== undefined), errors };
}
