import type { VnmError } from '../../model/errors.ts';

/** Waits for the promise, or throws `error()` once the signal aborts. Others may still wait for the promise. */
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
