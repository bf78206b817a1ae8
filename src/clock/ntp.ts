/** Measures this machine's clock against an NTP server. */
import { lookup } from 'node:dns/promises';
import ntpClient from 'ntp-client';
import { messageOf, VnmError } from '../model/errors.ts';
import { parseNtpServer } from '../model/ntp-server.ts';
import { type Clock, steadyClock } from './clock.ts';
import type { UtcReading } from './utc.ts';

export interface NtpOptions {
  /** How many answers to collect; the one with the shortest round trip counts. */
  readonly samples: number;
  /** The limit for all answers together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Throws a VnmError for an address that must not be queried. */
  readonly check?: (server: string, address: string) => void;
}

/** The server's time comes in whole ms, rounded down. */
const wholeMs = 1;

/**
 * Queries the server (`host` or `host:port`) a few times and reads the monotonic clock before and after each query. The
 * server sent its answer between the two readings, so the offset is known to half the round trip. After the first
 * answer, a failure ends the series: servers refuse clients that ask often.
 *
 * Throws VnmError `invalid-input` (not a server name), what `check` throws, `timeout` (no answer), `unreachable` (the
 * query fails), `failed` (an answer without the time) or `interrupted`; each names the server.
 */
export async function queryNtp(server: string, options: NtpOptions, clock: Clock): Promise<UtcReading> {
  const { samples, timeoutMs, signal } = options;
  const { host, port } = parseNtpServer(server);
  const steady = steadyClock(clock);
  const deadlineMs = steady.monotonicMs() + timeoutMs;
  const limit = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]);
  const readings: UtcReading[] = [];
  try {
    // The name is looked up first: the round trip must not include that time. All queries go to the address that was
    // checked: the same name may resolve to another one the next time.
    const { address } = await until(limit, lookup(host, { family: 4 }));
    options.check?.(server, address);
    while (readings.length < samples) {
      const leftMs = Math.max(1, deadlineMs - steady.monotonicMs());
      readings.push(readingOf(server, await until(limit, ask(address, port, leftMs, steady))));
    }
  } catch (error) {
    if (signal?.aborted === true || readings.length === 0) throw explain(error, server, options);
  }
  return readings.reduce((best, reading) => (reading.boundMs < best.boundMs ? reading : best));
}

/**
 * One query: when this machine sent it and got the answer, by its own clock, and when the server answered, by the
 * server's.
 */
interface Answer {
  readonly sentMs: number;
  readonly serverMs: number;
  readonly receivedMs: number;
}

function ask(address: string, port: number, timeoutMs: number, steady: Clock): Promise<Answer> {
  return new Promise((resolve, reject) => {
    ntpClient.ntpReplyTimeout = timeoutMs;
    const sentMs = steady.wallMs();
    withoutDeprecations(() =>
      ntpClient.getNetworkTime(address, port, (error, date) => {
        const receivedMs = steady.wallMs();
        if (error === null) resolve({ sentMs, serverMs: date.getTime(), receivedMs });
        else reject(typeof error === 'string' ? new DOMException(error, 'TimeoutError') : error);
      }),
    );
  });
}

/**
 * The package makes its packet with `new Buffer`, about which Node.js warns where the agent is bundled into one file.
 */
function withoutDeprecations(run: () => void): void {
  const before = process.noDeprecation ?? false;
  process.noDeprecation = true;
  try {
    run();
  } finally {
    process.noDeprecation = before;
  }
}

function readingOf(server: string, { sentMs, serverMs, receivedMs }: Answer): UtcReading {
  // Servers that have no time, or refuse to give it, send 0, which is 1900.
  if (!(serverMs > 0)) throw new VnmError('failed', `NTP server '${server}' answered without the time`);
  return {
    kind: 'ntp',
    name: server,
    offsetMs: (sentMs + receivedMs) / 2 - (serverMs + wholeMs / 2),
    boundMs: (receivedMs - sentMs) / 2 + wholeMs / 2,
  };
}

/** Rejects with the signal's reason as soon as it aborts; the result of the work is then dropped. */
async function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function explain(error: unknown, server: string, { timeoutMs, signal }: NtpOptions): VnmError {
  if (error instanceof VnmError) return error;
  if (signal?.aborted === true) {
    return new VnmError('interrupted', `the query to NTP server '${server}' was interrupted`, { cause: signal.reason });
  }
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    const hint = 'check that UDP gets to the server and back';
    return new VnmError('timeout', `NTP server '${server}' did not answer within ${timeoutMs} ms`, {
      hint,
      cause: error,
    });
  }
  return new VnmError('unreachable', `cannot query NTP server '${server}': ${messageOf(error)}`, { cause: error });
}
