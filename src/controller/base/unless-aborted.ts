import type { VnmError } from '../../model/errors.ts';

/** Throws `error()` once the signal aborts. The promise goes on: others may still want what comes of it. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, error: () => VnmError): Promise<T> {
  if (signal.aborted) throw error();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(error());
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
