/** Things that several users share: made for the first of them, closed after the last. */

export interface Shared<T> {
  /**
   * Returns the thing with this key, made by `open` unless there is one or one is being made. Each user must call
   * `release` once. Throws the signal's reason once it aborts, and as `open`, whose signal aborts after its last
   * user has gone.
   */
  take(
    key: string,
    signal: AbortSignal | undefined,
    open: (signal: AbortSignal) => Promise<T>,
  ): Promise<{ readonly value: T; readonly release: () => void }>;
}

interface Entry<T> {
  users: number;
  readonly abort: AbortController;
  readonly opening: Promise<T>;
}

/** `onEnd`: calls back when a thing has ended by itself, so that the next user gets a new one. */
export function shared<T>(close: (value: T) => void, onEnd: (value: T, ended: () => void) => void): Shared<T> {
  const entries = new Map<string, Entry<T>>();

  function begin(key: string, open: (signal: AbortSignal) => Promise<T>): Entry<T> {
    const abort = new AbortController();
    const entry = { users: 0, abort, opening: open(abort.signal) };
    const forget = () => {
      if (entries.get(key) === entry) entries.delete(key);
    };
    entries.set(key, entry);
    entry.opening.then((value) => onEnd(value, forget), forget);
    return entry;
  }

  function releaser(key: string, entry: Entry<T>): () => void {
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      entry.users -= 1;
      if (entry.users > 0) return;
      if (entries.get(key) === entry) entries.delete(key);
      entry.abort.abort();
      entry.opening.then(close, () => undefined);
    };
  }

  return {
    take: async (key, signal, open) => {
      const entry = entries.get(key) ?? begin(key, open);
      entry.users += 1;
      const release = releaser(key, entry);
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      const onAbort = () => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        signal?.throwIfAborted();
        return { value: await Promise.race([entry.opening, aborted]), release };
      } catch (error) {
        release();
        throw error;
      } finally {
        signal?.removeEventListener('abort', onAbort);
      }
    },
  };
}
