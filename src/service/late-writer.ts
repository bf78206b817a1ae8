/** Does writes in order, and retries later those that fail, for example while another process holds the database. */
export interface LateWriter {
  write(body: () => void): void;
  /** Tries the remaining writes once more. */
  close(): void;
}

const retryMs = 1000;
/** Above this number the oldest writes are dropped: a database busy for that long has another problem. */
const maxWaiting = 10_000;

export function lateWriter(onFailure: (error: unknown) => void): LateWriter {
  const waiting: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    try {
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        next();
        waiting.shift();
      }
    } catch (error) {
      onFailure(error);
      timer = setTimeout(flush, retryMs);
    }
  }

  return {
    write: (body) => {
      waiting.push(body);
      if (waiting.length > maxWaiting) waiting.shift();
      if (timer === undefined) flush();
    },
    close: () => {
      flush();
      clearTimeout(timer);
    },
  };
}
